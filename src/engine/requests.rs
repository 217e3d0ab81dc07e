//! The table of all requests. Faces, the socket, permissions and the HTTP API read it;
//! a request that is not in it does not exist.

use crate::domain::{Failure, Outcome};
use crate::frames;
use crate::services::{Command, Query, ReadCx, Receipt, WriteCx};
use crate::services::{
    accounts, activities, backups, drafts, imports, jobs, migration, notices, outlets, permissions, plans,
    records, sample, sessions, setup, state, sync, territories, undo, wins,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub type RunQuery = fn(&[u8], &ReadCx) -> Outcome<Vec<u8>>;
/// Returns the encoded reply; the host wraps it into the receipt.
pub type RunCommand = fn(&[u8], &mut WriteCx) -> Outcome<Vec<u8>>;

/// A request: its name, what it needs, and how it is run.
pub struct Row<F> {
    pub name: &'static str,
    /// What somebody who is not the store's owner needs to ask it over HTTP: nothing but
    /// to be signed in where it is empty. [`INTERNAL`] requests are the program's own.
    pub verb: &'static str,
    pub run: F,
    /// The request as JSON into the frame that it is run from, and the answer back.
    pub read_json: fn(&[u8]) -> Outcome<Vec<u8>>,
    pub write_json: fn(&[u8]) -> Outcome<Vec<u8>>,
    /// JSON Schemas of the request and of the answer.
    pub asks: fn(&mut SchemaGenerator) -> Schema,
    pub answers: fn(&mut SchemaGenerator) -> Schema,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Stands for a verb that nobody has.
pub const INTERNAL: &str = "-";

fn query<Q: Query>(body: &[u8], cx: &ReadCx) -> Outcome<Vec<u8>> {
    frames::encode(&frames::decode::<Q>(body)?.run(cx)?)
}

fn command<C: Command>(body: &[u8], cx: &mut WriteCx) -> Outcome<Vec<u8>> {
    frames::encode(&frames::decode::<C>(body)?.run(cx)?)
}

fn read_json<T: Serialize + DeserializeOwned>(json: &[u8]) -> Outcome<Vec<u8>> {
    // What is no JSON is another fault than JSON that is no such request.
    let no_json = |e| Failure::usage(format!("The request is no JSON: {e}"));
    serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(no_json)?;
    let request: T = serde_json::from_slice(json)
        .map_err(|e| Failure::invalid(format!("The request cannot be read: {e}")))?;
    frames::encode(&request)
}

fn write_json<T: Serialize + DeserializeOwned>(frame: &[u8]) -> Outcome<Vec<u8>> {
    serde_json::to_vec(&frames::decode::<T>(frame)?)
        .map_err(|e| Failure::internal(format!("The answer cannot be written: {e}")))
}

macro_rules! requests {
    (queries { $($query:ty: $query_verb:expr,)* } commands { $($command:ty: $command_verb:expr,)* }) => {
        pub const QUERIES: &[Row<RunQuery>] = &[$(Row {
            name: <$query as Query>::NAME,
            verb: $query_verb,
            run: query::<$query>,
            read_json: read_json::<$query>,
            write_json: write_json::<<$query as Query>::Reply>,
            asks: schema::<$query>,
            answers: schema::<<$query as Query>::Reply>,
        },)*];
        pub const COMMANDS: &[Row<RunCommand>] = &[$(Row {
            name: <$command as Command>::NAME,
            verb: $command_verb,
            run: command::<$command>,
            read_json: read_json::<$command>,
            write_json: write_json::<Receipt<<$command as Command>::Reply>>,
            asks: schema::<$command>,
            answers: schema::<Receipt<<$command as Command>::Reply>>,
        },)*];
    };
}

requests! {
    queries {
        setup::WhoAmI: "",
        records::Show: "activity.read",
        records::List: "activity.read",
        records::History: "activity.read",
        records::Counts: "activity.read",
        records::Suggest: "activity.read",
        records::Browse: "activity.read",
        records::Find: "activity.read",
        records::purge::ListPurged: INTERNAL,
        accounts::ShowAccount: "activity.read",
        activities::ListActivities: "activity.read",
        activities::CountActivities: "activity.read",
        activities::SumMonth: "activity.read",
        activities::DueSteps: "activity.read",
        activities::ReadLine: "activity.read",
        activities::ReadNote: "activity.read",
        activities::LastTouched: "activity.read",
        wins::ListWins: "wins.read",
        wins::ListMonths: "wins.read",
        wins::ShowCallout: "wins.read",
        wins::CompareWins: "wins.read",
        wins::ProposeProject: "wins.read",
        drafts::ListDrafts: "",
        drafts::ShowDraft: "",
        imports::ListReviews: "wins.import",
        imports::FindReview: "wins.import",
        imports::ShowReview: "wins.import",
        imports::ListLines: "wins.import",
        imports::batches::ListBatches: "wins.import",
        imports::batches::ListRejects: "wins.import",
        imports::whom::ListRemembered: "wins.import",
        imports::unnamed::ListUnnamed: "wins.import",
        imports::batches::ShowMapping: "wins.import",
        jobs::ListJobs: "wins.import",
        jobs::ShowJob: "wins.import",
        notices::ListNotices: "",
        outlets::ListOutlets: "outlets.read",
        territories::DetectTerritories: "outlets.read",
        territories::RecommendTerritories: "outlets.read",
        territories::PreviewSplit: "outlets.read",
        territories::ListUnits: "outlets.read",
        territories::ListSnapshots: "outlets.read",
        territories::OpenUnit: "outlets.read",
        territories::locks::ListLocks: "outlets.read",
        plans::ListPlanned: "outlets.read",
        plans::OpenPlan: "outlets.read",
        plans::FindOutlets: "outlets.read",
        plans::ShowDays: "outlets.read",
        plans::ListLacks: "outlets.read",
        plans::ListPlans: "outlets.read",
        plans::ComparePlans: "outlets.read",
        plans::ShowOffer: "outlets.read",
        plans::ListOffers: "outlets.read",
        plans::ExportPlan: "outlets.read",
        plans::PrintSheet: "outlets.read",
        outlets::CountOutlets: "outlets.read",
        outlets::SumOutlets: "outlets.read",
        outlets::TypedOutlet: "outlets.read",
        outlets::SuggestOutlets: "outlets.read",
        outlets::ShowOutlet: "outlets.read",
        outlets::OutletsAround: "outlets.read",
        outlets::OutletHistory: "outlets.read",
        outlets::ExportOutlets: "outlets.read",
        outlets::Quality: "outlets.read",
        migration::ListMigrations: "migration.read",
        migration::CountMigration: "migration.read",
        migration::ShowMonth: "migration.read",
        migration::ListLegacyNames: "migration.read",
        migration::ListStubs: "migration.read",
        migration::HashLive: INTERNAL,
        undo::Recent: "audit.read",
        undo::ListChanges: "audit.read",
        undo::ShowChange: "audit.read",
        state::GetState: INTERNAL,
        sync::PullChanges: INTERNAL,
        sync::bootstrap::MakeBootstrap: INTERNAL,
        sync::blobs::MissingBlobs: INTERNAL,
        sync::blobs::GetBlobs: INTERNAL,
        sync::device::SyncStatus: INTERNAL,
        sync::device::NextPush: INTERNAL,
        sync::device::NextPull: INTERNAL,
        sync::device::AskRecover: INTERNAL,
        sync::reconcile::DigestRecords: INTERNAL,
        backups::WriteBackup: INTERNAL,
        sessions::FindLogin: INTERNAL,
        sessions::FindSession: INTERNAL,
        sessions::ListSessions: "",
        permissions::ShowRights: "",
    }
    commands {
        setup::SetUp: INTERNAL,
        records::Save: "",
        records::Archive: "",
        records::Delete: "",
        records::Merge: "",
        records::purge::Purge: "records.purge",
        records::purge::PurgeAgain: INTERNAL,
        activities::LogLine: "",
        activities::SaveMany: "",
        activities::DeleteMany: "",
        outlets::EditOutlets: "",
        territories::SplitTerritories: "",
        territories::CutSnapshots: "",
        territories::locks::LockUnit: "territory.write",
        territories::locks::UnlockUnit: "territory.write",
        wins::Feature: "",
        wins::CloseMonth: "",
        imports::uploads::PutPiece: INTERNAL,
        imports::uploads::DropPieces: INTERNAL,
        imports::StartReview: "wins.import",
        imports::AnswerReview: "wins.import",
        imports::TakeBack: "wins.import",
        imports::CommitReview: "wins.import",
        imports::DropReview: "wins.import",
        imports::batches::SaveMapping: "wins.import",
        imports::unnamed::NameRaw: "wins.import",
        jobs::KeepPiece: INTERNAL,
        jobs::EndJob: INTERNAL,
        jobs::CancelJob: "wins.import",
        plans::SetPlanRules: "territory.write",
        plans::OptimisePlan: "territory.write",
        plans::SteerRun: "territory.write",
        plans::KeepPlan: "territory.write",
        plans::CreatePlan: "territory.write",
        plans::RestorePlan: "territory.write",
        plans::EditPlan: "territory.write",
        plans::SetOutlines: "territory.write",
        migration::NameLegacy: "migration.write",
        migration::MakeStubs: "migration.write",
        migration::DropStubs: "migration.write",
        migration::SetRules: "migration.write",
        migration::ChooseRows: "migration.write",
        migration::ConfirmMonths: "migration.write",
        migration::ReopenMonths: "migration.write",
        migration::PromoteMonth: "migration.write",
        migration::RollBackMonth: "migration.write",
        migration::FinishMigration: "migration.write",
        drafts::KeepForm: "",
        drafts::ResolveDraft: "",
        drafts::ResolveMany: "",
        drafts::DiscardDrafts: "",
        drafts::RetryDrafts: "",
        notices::ReadNotices: "",
        undo::Undo: "",
        undo::Redo: "",
        state::SetState: INTERNAL,
        sync::PushChanges: INTERNAL,
        sync::bootstrap::InstallChunks: INTERNAL,
        sync::blobs::KeepBlobs: INTERNAL,
        sync::device::EndPieces: INTERNAL,
        sync::RecoverDevice: INTERNAL,
        sync::BeginEpoch: INTERNAL,
        sync::CoverBackup: INTERNAL,
        sync::device::JoinRemote: INTERNAL,
        sync::device::ApplyPull: INTERNAL,
        sync::device::TakeRecovered: INTERNAL,
        sync::device::ReadAnew: INTERNAL,
        sessions::NoteFailure: INTERNAL,
        sessions::BeginSession: INTERNAL,
        sessions::NoteUse: INTERNAL,
        sessions::ProveAgain: INTERNAL,
        sessions::EndSession: "",
        sessions::SetPassword: INTERNAL,
        sessions::SetCodes: INTERNAL,
        sample::FillDemo: INTERNAL,
        sample::FillActivities: INTERNAL,
    }
}

pub fn find_query(name: &str) -> Option<RunQuery> {
    QUERIES.iter().find(|row| row.name == name).map(|row| row.run)
}

pub fn find_command(name: &str) -> Option<RunCommand> {
    COMMANDS.iter().find(|row| row.name == name).map(|row| row.run)
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
        let names: Vec<&str> =
            QUERIES.iter().map(|q| q.name).chain(COMMANDS.iter().map(|c| c.name)).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in names {
            let (area, verb) = name.split_once('.').unwrap_or_default();
            assert!(!area.is_empty() && !verb.is_empty() && name == name.to_lowercase(), "{name}");
        }
    }
}
