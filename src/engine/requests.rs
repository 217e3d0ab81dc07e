//! The table of all requests. Faces, the socket, permissions and the HTTP API read it;
//! a request that is not in it does not exist.

use crate::domain::{Failure, Outcome};
use crate::frames;
use crate::services::{Command, Query, ReadCx, WriteCx};
use crate::services::{
    accounts, activities, drafts, imports, jobs, notices, outlets, records, sample, sessions, setup, state,
    sync, territories, undo, wins,
};

pub type RunQuery = fn(&[u8], &ReadCx) -> Outcome<Vec<u8>>;
/// Returns the encoded reply; the host wraps it into the receipt.
pub type RunCommand = fn(&[u8], &mut WriteCx) -> Outcome<Vec<u8>>;

fn query<Q: Query>(body: &[u8], cx: &ReadCx) -> Outcome<Vec<u8>> {
    frames::encode(&frames::decode::<Q>(body)?.run(cx)?)
}

fn command<C: Command>(body: &[u8], cx: &mut WriteCx) -> Outcome<Vec<u8>> {
    frames::encode(&frames::decode::<C>(body)?.run(cx)?)
}

macro_rules! requests {
    (queries { $($query:ty,)* } commands { $($command:ty,)* }) => {
        pub const QUERIES: &[(&str, RunQuery)] = &[$((<$query as Query>::NAME, query::<$query>),)*];
        pub const COMMANDS: &[(&str, RunCommand)] = &[$((<$command as Command>::NAME, command::<$command>),)*];
    };
}

requests! {
    queries {
        setup::WhoAmI,
        records::Show,
        records::List,
        records::History,
        records::Counts,
        records::Suggest,
        records::Browse,
        records::Find,
        accounts::ShowAccount,
        activities::ListActivities,
        activities::CountActivities,
        activities::SumMonth,
        activities::DueSteps,
        activities::ReadLine,
        activities::LastTouched,
        wins::ListWins,
        wins::ListMonths,
        wins::ShowCallout,
        wins::CompareWins,
        wins::ProposeProject,
        drafts::ListDrafts,
        drafts::ShowDraft,
        imports::ListReviews,
        imports::FindReview,
        imports::ShowReview,
        imports::ListLines,
        imports::batches::ListBatches,
        imports::batches::ListRejects,
        imports::whom::ListRemembered,
        imports::unnamed::ListUnnamed,
        imports::batches::ShowMapping,
        jobs::ListJobs,
        jobs::ShowJob,
        notices::ListNotices,
        outlets::ListOutlets,
        territories::DetectTerritories,
        territories::RecommendTerritories,
        territories::PreviewSplit,
        territories::ListUnits,
        territories::ListSnapshots,
        territories::OpenUnit,
        outlets::CountOutlets,
        outlets::SumOutlets,
        outlets::TypedOutlet,
        outlets::SuggestOutlets,
        outlets::ShowOutlet,
        outlets::ExportOutlets,
        outlets::Quality,
        undo::Recent,
        undo::ListChanges,
        undo::ShowChange,
        state::GetState,
        sync::PullChanges,
        sync::device::SyncStatus,
        sync::device::NextPush,
        sync::device::NextPull,
        sync::device::AskRecover,
        sessions::FindLogin,
        sessions::FindSession,
        sessions::ListSessions,
    }
    commands {
        setup::SetUp,
        records::Save,
        records::Archive,
        records::Delete,
        records::Merge,
        activities::LogLine,
        activities::SaveMany,
        activities::DeleteMany,
        outlets::EditOutlets,
        territories::SplitTerritories,
        territories::CutSnapshots,
        wins::Feature,
        wins::CloseMonth,
        imports::uploads::PutPiece,
        imports::uploads::DropPieces,
        imports::StartReview,
        imports::AnswerReview,
        imports::TakeBack,
        imports::CommitReview,
        imports::DropReview,
        imports::batches::SaveMapping,
        imports::unnamed::NameRaw,
        jobs::KeepPiece,
        jobs::EndJob,
        jobs::CancelJob,
        drafts::KeepForm,
        drafts::ResolveDraft,
        drafts::ResolveMany,
        drafts::DiscardDrafts,
        notices::ReadNotices,
        undo::Undo,
        undo::Redo,
        state::SetState,
        sync::PushChanges,
        sync::RecoverDevice,
        sync::BeginEpoch,
        sync::CoverBackup,
        sync::device::JoinRemote,
        sync::device::ApplyPull,
        sync::device::TakeRecovered,
        sessions::NoteFailure,
        sessions::BeginSession,
        sessions::NoteUse,
        sessions::EndSession,
        sessions::SetPassword,
        sessions::SetCodes,
        sample::FillDemo,
        sample::FillActivities,
    }
}

pub fn find_query(name: &str) -> Option<RunQuery> {
    QUERIES.iter().find(|(n, _)| *n == name).map(|(_, run)| *run)
}

pub fn find_command(name: &str) -> Option<RunCommand> {
    COMMANDS.iter().find(|(n, _)| *n == name).map(|(_, run)| *run)
}

pub fn unknown(name: &str) -> Failure {
    Failure::usage(format!("There is no request \"{name}\"")).hint("The other PAMS may be of another version")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_say_area_and_verb() {
        let names: Vec<&str> = QUERIES.iter().map(|q| q.0).chain(COMMANDS.iter().map(|c| c.0)).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in names {
            let (area, verb) = name.split_once('.').unwrap_or_default();
            assert!(!area.is_empty() && !verb.is_empty() && name == name.to_lowercase(), "{name}");
        }
    }
}
