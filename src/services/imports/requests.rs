//! What can be asked of imports under review and said about them: start, list, show,
//! answer, take back, commit, drop.

use super::staging::{self, SheetOutline};
use super::uploads::{self, Source};
use super::{Answer, Line, MAX_ANSWERS, Options, Prepared, REVIEW, Report, Review, Target};
use super::{batches, bulk, lines, records, remembered, whom};
use crate::changes::Via;
use crate::domain::schema::Kind;
use crate::domain::{Failure, FailureKind, Id, Outcome, text};
use crate::frames::{self, Bytes};
use crate::intake::bulk::Said;
use crate::intake::fixes::Place;
use crate::services::jobs::{self, Job};
use crate::services::permissions::denied;
use crate::services::{Command, Query, ReadCx, Settings, WriteCx, names, wins};
use crate::store::{IndexKey, Reads};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Reviews that are open at one time.
const MAX_REVIEWS: usize = 100;
/// A review that nobody touched for so long is dropped with the next one.
const MAX_AGE_MS: i64 = 30 * 24 * 3_600_000;

/// Starts an import: the file is kept, and a job stages its cells.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StartReview {
    pub target: Target,
    pub source: Source,
    pub options: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    pub review: Id,
    pub job: Id,
}

impl Command for StartReview {
    const NAME: &'static str = "imports.start";
    type Reply = Started;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Started> {
        let open = reviews(cx.reads())?;
        let old = cx.caller.now_ms - MAX_AGE_MS;
        for review in open.iter().filter(|r| r.touched_ms < old) {
            forget(cx, review, false)?;
        }
        if open.len() >= MAX_REVIEWS {
            return Err(Failure::conflict(format!("{MAX_REVIEWS} imports are open"))
                .hint("`pams import list` shows them; commit or drop some"));
        }
        let id = cx.new_id();
        if let Source::Path { path, said } = &self.source {
            if cx.caller.via == Via::Api {
                return Err(denied("Files of the server's own machine are not read for others")
                    .hint("Send the file: POST /api/v1/imports"));
            }
            return self.start_bulk(cx, id, path, said);
        }
        let loaded = uploads::load(cx.reads(), &self.source)?;
        let hash = cx.batch.put_blob(&loaded.bytes)?;
        uploads::forget(cx, &self.source)?;
        let job = jobs::queue(cx, staging::KIND, format!("read {}", loaded.name), id)?;
        let review = Review {
            id,
            target: self.target,
            file: loaded.name,
            hash,
            kept_mapping: loaded.mapping,
            options: self.options.clone(),
            answers: loaded.answers,
            by: cx.actor(),
            touched_ms: cx.caller.now_ms,
            job,
            outline: None,
            failure: None,
            bulk: None,
            claims: wins::claims(cx.reads())?,
        };
        review.save(cx)?;
        Ok(Started { review: id, job })
    }
}

impl StartReview {
    /// A file of any size is read where it lies.
    fn start_bulk(&self, cx: &mut WriteCx, id: Id, path: &Path, said: &Said) -> Outcome<Started> {
        if !self.target.is_bulk() {
            return Err(Failure::usage(format!("{} are sent, not read in place", self.target.plural())));
        }
        let file = path.file_name().map_or(path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let job = jobs::queue(cx, bulk::KIND, format!("read {file}"), id)?;
        let review = Review {
            id,
            target: self.target,
            file,
            hash: [0; 32],
            kept_mapping: None,
            options: self.options.clone(),
            answers: vec![],
            by: cx.actor(),
            touched_ms: cx.caller.now_ms,
            job,
            outline: None,
            failure: None,
            bulk: Some(bulk::Staged {
                path: path.to_owned(),
                said: said.clone(),
                manifest: None,
                columns: vec![],
                header: 0,
                began: said.clone(),
                rows: Default::default(),
            }),
            claims: vec![],
        };
        review.save(cx)?;
        Ok(Started { review: id, job })
    }
}

/// What the worker of a review's job gets.
pub fn job_input(reads: &dyn Reads, job: &Job) -> Outcome<Vec<u8>> {
    let review = Review::load(reads, job.subject)?;
    if let Some(staged) = &review.bulk {
        let settings = Settings::load(reads, review.touched_ms)?;
        let day = (settings.today, settings.day_minutes);
        return bulk::job_input(reads, staged, review.target, day, job.kept);
    }
    let bytes = reads.blob(&review.hash)?;
    let bytes = bytes.ok_or_else(|| Failure::not_found("The file of the import is no longer kept"))?;
    let (dialect, bytes) = (review.read_with().dialect, Bytes(bytes));
    frames::encode(&staging::Input { name: review.file, bytes, dialect, skip: job.kept })
}

/// The file is staged, or could not be read.
pub fn job_ended(cx: &mut WriteCx, job: &Job, result: Result<Bytes, Failure>) -> Outcome<()> {
    let Ok(mut review) = Review::load(cx.reads(), job.subject) else { return Ok(()) };
    match result {
        Ok(summary) if review.bulk.is_some() => {
            let failed = bulk::ended(cx, &mut review, &summary.0).err();
            review.failure = failed;
        }
        Ok(summary) => review.outline = Some(frames::decode(&summary.0)?),
        Err(failure) => review.failure = Some(failure),
    }
    review.save(cx)
}

pub(super) fn reviews(reads: &dyn Reads) -> Outcome<Vec<Review>> {
    let mut all = Vec::new();
    for (_, bytes) in reads.locals(REVIEW)? {
        let review: Review = frames::decode(&bytes)?;
        if review.is_seen(reads)? {
            all.push(review);
        }
    }
    Ok(all)
}

/// Takes a review away: its cells, its job, and its file unless a batch keeps it. The
/// batch of this very transaction is in no index yet, so the caller says so.
fn forget(cx: &mut WriteCx, review: &Review, kept: bool) -> Outcome<()> {
    jobs::drop_of(cx, review.id)?;
    cx.batch.touch(Kind::Batch, review.id);
    if review.bulk.is_some() && !kept {
        bulk::forget(cx, review, &Default::default())?;
    }
    cx.batch.clear_staged(review.id)?;
    cx.batch.set_local(&format!("{REVIEW}{}", review.id), None)?;
    let batches = cx.reads().index_ids(IndexKey::new(70).text(&hex(&review.hash)), 1)?;
    let others = reviews(cx.reads())?.iter().any(|r| r.hash == review.hash);
    if review.bulk.is_none() && !kept && batches.is_empty() && !others {
        cx.batch.drop_blob(&review.hash)?;
    }
    Ok(())
}

pub fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// An open review, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Open {
    pub id: Id,
    pub target: Target,
    pub file: String,
    /// BLAKE3 of the file, in hexadecimal.
    pub hash: String,
    pub by: String,
    /// When it was last touched.
    pub at: String,
    /// "reading", "failed", "columns" or "review"
    pub step: String,
    pub job: Id,
    pub rows: usize,
    pub to_fix: usize,
    pub message: String,
}

/// The open reviews, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListReviews {}

impl Query for ListReviews {
    const NAME: &'static str = "imports.reviews";
    type Reply = Vec<Open>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Open>> {
        let settings = cx.settings()?;
        reviews(cx.reads)?.iter().rev().map(|r| open(cx.reads, &settings, r, None)).collect()
    }
}

fn open(reads: &dyn Reads, settings: &Settings, review: &Review, report: Option<&Report>) -> Outcome<Open> {
    let step = match (&review.outline, &review.failure, report) {
        (_, Some(_), _) => "failed",
        (None, _, _) => "reading",
        (_, _, Some(report)) if !report.missing.is_empty() => "columns",
        _ => "review",
    };
    Ok(Open {
        id: review.id,
        target: review.target,
        file: review.file.clone(),
        hash: hex(&review.hash),
        by: names::name(reads, Kind::User, review.by)?,
        at: settings.zone.stamp(review.touched_ms),
        step: step.into(),
        job: review.job,
        rows: report.map_or(0, |r| r.rows),
        to_fix: report.map_or(0, Report::to_fix),
        message: review.failure.as_ref().map(|f| f.message.clone()).unwrap_or_default(),
    })
}

/// A review as it stands: where it is, what a commit would do, what it asks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShowReview {
    pub review: Id,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    pub open: Open,
    /// None while the file is being read, or when it cannot be.
    pub report: Option<Report>,
    pub failure: Option<Failure>,
    pub sheets: Vec<SheetOutline>,
    /// Fields that a column can stand for.
    pub fields: Vec<String>,
    pub options: Options,
    /// How many answers can be taken back.
    pub answers: usize,
}

impl Query for ShowReview {
    const NAME: &'static str = "imports.review";
    type Reply = Shown;

    fn run(&self, cx: &ReadCx) -> Outcome<Shown> {
        let settings = cx.settings()?;
        let review = Review::load(cx.reads, self.review)?;
        let ready = review.outline.is_some() && review.failure.is_none();
        let prepared = if ready { Some(review.prepare(cx.reads, &settings)) } else { None };
        let (report, failure) = match prepared {
            Some(Ok(prepared)) => (Some(prepared.report), None),
            Some(Err(failure)) => (None, Some(failure)),
            None => (None, review.failure.clone()),
        };
        Ok(Shown {
            open: open(cx.reads, &settings, &review, report.as_ref())?,
            report,
            failure,
            sheets: review.outline.clone().unwrap_or_default().sheets,
            fields: fields(review.target),
            options: review.said().0,
            answers: review.answers.len(),
        })
    }
}

fn fields(target: Target) -> Vec<String> {
    match target {
        Target::Wins => crate::intake::mapping::WIN_FIELDS.iter().map(|f| (*f).to_owned()).collect(),
        _ => records::fields(target.kind()).map(|f| f.name.to_owned()).collect(),
    }
}

/// The rows that a rule is about, with what can be said to each.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListLines {
    pub review: Id,
    pub code: String,
    /// Those that a person decided already.
    pub decided: bool,
    pub from: usize,
    pub limit: usize,
}

impl Query for ListLines {
    const NAME: &'static str = "imports.lines";
    type Reply = Vec<Line>;

    fn run(&self, cx: &ReadCx) -> Outcome<Vec<Line>> {
        let settings = cx.settings()?;
        let review = Review::load(cx.reads, self.review)?;
        let prepared = review.prepare(cx.reads, &settings)?;
        let all = prepared.plan.lines(cx.reads, &self.code, self.decided)?;
        let mut lines: Vec<Line> =
            all.iter().skip(self.from).take(self.limit.clamp(1, 500)).cloned().collect();
        lines::complete(cx.reads, &prepared.report, &all, &mut lines)?;
        Ok(lines)
    }
}

/// Says something about a file under review.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AnswerReview {
    pub review: Id,
    pub answers: Vec<Answer>,
}

impl Command for AnswerReview {
    const NAME: &'static str = "imports.answer";
    type Reply = usize;

    fn run(&self, cx: &mut WriteCx) -> Outcome<usize> {
        let settings = cx.settings()?;
        let mut review = Review::load(cx.reads(), self.review)?;
        let before = review.read_with();
        if review.bulk.is_some() {
            for answer in &self.answers {
                refuse_senseless(cx.reads(), &review, answer)?;
                review.bulk.iter_mut().try_for_each(|staged| bulk::answer(staged, answer))?;
                review.answers.push(answer.clone());
            }
            review.touched_ms = cx.caller.now_ms;
            read_again(cx, &mut review, &before)?;
            return Ok(review.answers.len());
        }
        for answer in &self.answers {
            refuse_senseless(cx.reads(), &review, answer)?;
            let answer = match answer {
                Answer::AsideAlike { code, raw } => {
                    let plan = review.prepare(cx.reads(), &settings)?.plan;
                    let lines = plan.lines(cx.reads(), code, false)?.into_iter();
                    let alike =
                        lines.filter(|l| raw.as_ref().is_none_or(|r| text::fold(r) == text::fold(&l.raw)));
                    Answer::Aside(alike.map(|l| l.place).collect())
                }
                // A name that nobody has is refused now, not at the commit.
                Answer::Owner { who, .. } | Answer::Account { who, .. } if who != "-" => {
                    let owner = matches!(answer, Answer::Owner { .. });
                    let kind = if owner { Kind::User } else { Kind::Account };
                    names::resolve(cx.reads(), kind, who, None)?;
                    answer.clone()
                }
                other => other.clone(),
            };
            review.answers.push(answer);
        }
        if review.answers.len() > MAX_ANSWERS {
            return Err(Failure::invalid(format!("A review takes {MAX_ANSWERS} answers"))
                .hint("Mend the rest in the file"));
        }
        review.touched_ms = cx.caller.now_ms;
        read_again(cx, &mut review, &before)?;
        Ok(review.answers.len())
    }
}

/// Starts a file anew where what was said of it is not what it was read with.
fn read_again(cx: &mut WriteCx, review: &mut Review, before: &Said) -> Outcome<()> {
    if review.read_with() == *before {
        return review.save(cx);
    }
    jobs::drop_of(cx, review.id)?;
    let kind = if review.bulk.is_some() { bulk::KIND } else { staging::KIND };
    if review.bulk.is_some() {
        bulk::forget(cx, review, &Default::default())?;
    }
    cx.batch.clear_staged(review.id)?;
    review.job = jobs::queue(cx, kind, format!("read {}", review.file), review.id)?;
    (review.outline, review.failure) = (None, None);
    review.bulk.iter_mut().for_each(|staged| staged.manifest = None);
    review.save(cx)
}

/// An answer about what is not in the file is refused when it is given, not found out
/// at the commit.
fn refuse_senseless(reads: &dyn Reads, review: &Review, answer: &Answer) -> Outcome<()> {
    if matches!(answer, Answer::Dialect(_)) && review.failure.is_some() {
        // It may be why it could not be read.
        return Ok(());
    }
    let Some(outline) = &review.outline else {
        return Err(Failure::conflict(format!("{} is still being read", review.file)));
    };
    let none = |what: String| Err(Failure::not_found(format!("{} has no {what}", review.file)));
    let rows = |sheet: &usize| outline.sheets.get(*sheet).map_or(0, |s| s.rows);
    let known = |field: &str| {
        let fields = fields(review.target);
        if field == "outcome" || fields.iter().any(|f| f == field) {
            return Ok(());
        }
        Err(Failure::usage(format!("There is no field \"{field}\""))
            .hint(format!("The fields are {}", fields.join(", "))))
    };
    let places: &[Place] = match answer {
        Answer::Cell { place, .. } | Answer::Prefer(place) => std::slice::from_ref(place),
        Answer::Aside(places) => places,
        _ => &[],
    };
    if let Some((_, row)) = places.iter().find(|(sheet, row)| *row == 0 || *row > rows(sheet)) {
        return none(format!("row {row}"));
    }
    match answer {
        Answer::Table { sheet, .. } | Answer::Column { sheet, .. } if *sheet >= outline.sheets.len() => {
            none(format!("sheet {}", sheet + 1))
        }
        Answer::Table { sheet, header: Some(header) } if *header >= rows(sheet) => {
            none(format!("row {}", header + 1))
        }
        Answer::Column { field, column, sheet } => {
            let wide = match &review.bulk {
                Some(staged) => staged.columns.len(),
                None => staging::width(reads, review.id, *sheet)?,
            };
            match column {
                Some(column) if *column >= wide => none(format!("column {}", column + 1)),
                _ => known(field),
            }
        }
        Answer::Cell { field, .. } | Answer::Value { field, .. } => known(field),
        Answer::Mapping(name) => batches::mapping_text(reads, name).map(drop),
        Answer::AsideAlike { code, .. } if crate::intake::rules::find(code).is_none() => {
            Err(Failure::not_found(format!("There is no rule \"{code}\""))
                .hint("`pams import rules` lists them"))
        }
        _ => Ok(()),
    }
}

/// Takes the last answer back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TakeBack {
    pub review: Id,
}

impl Command for TakeBack {
    const NAME: &'static str = "imports.take_back";
    type Reply = Option<Answer>;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Option<Answer>> {
        let mut review = Review::load(cx.reads(), self.review)?;
        let before = review.read_with();
        let last = review.answers.pop();
        if let (Some(staged), Some(_)) = (&mut review.bulk, &last) {
            staged.said = staged.began.clone();
            for answer in &review.answers {
                bulk::answer(staged, answer)?;
            }
        }
        read_again(cx, &mut review, &before)?;
        Ok(last)
    }
}

/// Writes what the review stands at, in one change, and ends it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommitReview {
    pub review: Id,
    /// The person agreed that months lose many rows.
    pub agreed: bool,
}

impl Command for CommitReview {
    const NAME: &'static str = "imports.commit";
    type Reply = Report;

    fn run(&self, cx: &mut WriteCx) -> Outcome<Report> {
        let settings = cx.settings()?;
        let review = Review::load(cx.reads(), self.review)?;
        let (options, _) = review.said();
        cx.set_cause(crate::changes::Cause::Import, None);
        let mut prepared = review.prepare(cx.reads(), &settings)?;
        if let Some(missing) = prepared.report.missing.first() {
            return Err(Failure::invalid(format!("No column is said to be the {missing}")));
        }
        // What was under review goes on under the same name.
        let batch = self.review;
        // Before anything else of it: what follows is taken or held with the claim.
        super::wins::claim(cx, batch, &prepared.report)?;
        let made = if options.stub_accounts { prepared.plan.make_accounts(cx)? } else { 0 };
        if whom::remember(cx, &options)? + made > 0 {
            prepared = review.prepare(cx.reads(), &settings)?;
        }
        if !(prepared.report.asks.is_empty() || self.agreed || options.agreed) {
            return Err(Failure::new(FailureKind::Conflict, prepared.report.asks.join("; "))
                .hint("Nothing was changed. If that is right, say so with --yes; --append removes nothing"));
        }
        if let (Some(overtaken), false) = (prepared.report.overtaken.first(), self.agreed) {
            return Err(Failure::conflict(overtaken.clone())
                .hint("Nothing was changed, and the file is kept under review: look at it, then commit it"));
        }
        let Prepared { mut report, plan } = prepared;
        report.review = None;
        let relied = batches::commit(cx, &settings, &review, batch, &mut report, plan)?;
        remembered::remember(cx, &review)?;
        forget(cx, &review, relied)?;
        Ok(report)
    }
}

/// Gives an import up: nothing of it stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DropReview {
    pub review: Id,
}

impl Command for DropReview {
    const NAME: &'static str = "imports.drop";
    type Reply = ();

    fn run(&self, cx: &mut WriteCx) -> Outcome<()> {
        let review = Review::load(cx.reads(), self.review)?;
        forget(cx, &review, false)
    }
}

/// An open review by its id or the end of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindReview {
    pub which: String,
}

impl Query for FindReview {
    const NAME: &'static str = "imports.find";
    type Reply = Id;

    fn run(&self, cx: &ReadCx) -> Outcome<Id> {
        let open: Vec<Id> =
            reviews(cx.reads)?.iter().map(|r| r.id).filter(|id| id.ends_with(&self.which)).collect();
        match open.as_slice() {
            [id] => Ok(*id),
            [] => Err(Failure::not_found(format!("There is no open import \"{}\"", self.which))
                .hint("`pams import list` shows the open ones")),
            _ => Err(Failure::invalid(format!("{} open imports end with \"{}\"", open.len(), self.which))
                .hint("Give more characters")),
        }
    }
}
