//! The registry of commands: what a person can do, each declared once. Keymaps,
//! palette, help and footer read it.

/// Why a command cannot be run now; none when it can.
pub type Refused = Option<&'static str>;

pub const READ_ONLY: &str = "This session only looks: start without --read-only to change something";
/// The command belongs to other places; nobody is shown it here.
pub const NOT_HERE: &str = "Not in this place";
pub const NO_ROW: &str = "There is no row under the cursor";

#[derive(Debug)]
pub struct Spec {
    pub id: &'static str,
    pub title: &'static str,
    /// Other words people look for.
    pub words: &'static str,
    /// Where it can be run: `global`, or what [`crate::tui::panes::Panes::scopes`] names.
    pub scope: &'static str,
    /// Changes the store: refused where one may only look.
    pub writes: bool,
}

const fn spec(id: &'static str, scope: &'static str, title: &'static str, words: &'static str) -> Spec {
    Spec { id, title, words, scope, writes: false }
}

impl Spec {
    const fn writing(self) -> Spec {
        Spec { writes: true, ..self }
    }
}

pub const ALL: &[Spec] = &[
    spec("go.home", "global", "Go to Home", "dashboard start overview"),
    spec("go.activities", "global", "Go to Activities", "log work list"),
    spec("go.wins", "global", "Go to Wins", "losses deals salesforce"),
    spec("go.migration", "global", "Go to Migration", "legacy drafts months promote"),
    spec("go.routes", "global", "Go to Routes", "plans optimise territory beats map"),
    spec("go.accounts", "global", "Go to Accounts", "customers projects"),
    spec("go.outlets", "global", "Go to Outlets", "shops places"),
    spec("go.imports", "global", "Go to Imports", "review files upload"),
    spec("go.drafts", "global", "Go to Drafts", "conflicts unsaved waiting"),
    spec("go.history", "global", "Go to History", "log audit changes who"),
    spec("go.jobs", "global", "Go to Jobs", "background running tasks"),
    spec("go.admin", "global", "Go to Admin", "settings types users reasons industries use cases"),
    spec("go.more", "global", "Go to any place by name", "more panes"),
    spec("find.open", "global", "Find an account, project or person", "search jump open"),
    spec("app.split", "global", "Two places beside each other, or one", "split wide window"),
    spec("app.swap", "global", "To the place beside", "switch window focus"),
    spec("log.open", "global", "Log an activity in one line", "quick add").writing(),
    spec("record.add", "global", "Add (form)", "new create activity win loss").writing(),
    spec("app.undo", "global", "Undo my last change", "back revert").writing(),
    spec("app.redo", "global", "Redo what was undone", "again").writing(),
    spec("app.help", "global", "Keys of this place", "help manual"),
    spec("palette.open", "global", "Find any action", "command palette search"),
    spec("app.quit", "global", "Quit PAMS", "exit leave"),
    spec("app.interrupt", "global", "Cancel; twice offers to quit", "stop"),
    spec("app.close", "global", "Close this, or quit from Home", "exit"),
    spec("app.back", "global", "One step back", "cancel escape"),
    spec("app.suspend", "global", "Suspend to the shell", "background stop"),
    spec("app.mouse", "global", "Mouse on or off", "click wheel select"),
    spec("app.settings", "global", "Settings, in your editor", "config preferences options"),
    spec("app.reload", "global", "Read keymap, theme and settings again", "config refresh"),
    spec("app.redraw", "global", "Draw the screen again", "refresh clear"),
    spec("list.down", "list", "Next row", "cursor"),
    spec("list.up", "list", "Row before", "cursor"),
    spec("list.page_down", "list", "Next page", "scroll"),
    spec("list.page_up", "list", "Page before", "scroll"),
    spec("list.top", "list", "First row", "begin"),
    spec("list.bottom", "list", "Last row", "end"),
    spec("record.open", "list", "Open", "show detail edit"),
    spec("list.mark", "list", "Mark the row", "select"),
    spec("list.mark_all", "list", "Mark all that match, or none", "select everything"),
    spec("list.copy", "list", "Copy the row or the marked rows", "clipboard yank osc52"),
    spec("list.export", "activities", "Export what is listed to a file", "csv tsv save write"),
    spec("home.next_box", "home", "Next box", "focus"),
    spec("home.last_box", "home", "Box before", "focus"),
    spec("home.read_notices", "home", "Mark the news as read", "notices notifications seen").writing(),
    spec("home.hide_callout", "home", "Hide the callout until it changes", "dismiss wins"),
    spec("activities.owner", "activities", "Owner: me or all", "scope mine everyone"),
    spec("activities.sort", "activities", "Sort: newest or oldest first", "order"),
    spec("list.filter", "list", "Filter what is listed", "search find operators -not owner: type: before:"),
    spec("activities.note", "activities", "Read a meeting note into the form", "import extract text file")
        .writing(),
    spec("activities.repeat", "activities", "Repeat this activity with the default date", "again copy yank")
        .writing(),
    spec("activities.dates", "activities", "One month or all dates", "everything all time"),
    spec("activities.week", "activities", "The week, day by day", "calendar days"),
    spec("activities.totals", "activities", "Sums by type and account", "total report effort"),
    spec("activities.due", "activities", "Follow-ups: next steps that are mine", "due todo tasks"),
    spec("activities.gap", "activities", "Log the next day without an entry", "missing not logged"),
    spec("activities.bulk", "activities", "Set a field of the marked rows", "bulk change edit all").writing(),
    spec("activities.views", "activities", "Choose a view", "saved filter preset"),
    spec("activities.save_view", "activities", "Keep this view under a name", "save filter preset").writing(),
    spec("activities.template", "activities", "Keep the row as a template", "save pattern").writing(),
    spec("activities.templates", "activities", "New activity from a template", "pattern").writing(),
    spec("due.done", "due", "Done: the next step is taken away", "finish complete").writing(),
    spec("due.snooze", "due", "Put the next step off", "later snooze date").writing(),
    spec("due.give", "due", "Give the next step to somebody", "assign delegate").writing(),
    spec("month.back", "month", "Month before", "previous earlier"),
    spec("month.forward", "month", "Next month", "later"),
    spec("month.today", "month", "This month", "now"),
    spec("record.edit", "list", "Edit", "change form"),
    spec("record.delete", "list", "Delete the row or the marked rows", "remove discard").writing(),
    spec("record.archive", "list", "Archive, or bring back", "hide put away").writing(),
    spec("record.merge", "list", "Merge into another", "join duplicate").writing(),
    spec("record.purge", "erase", "Erase for good, from history too", "purge privacy gdpr forget").writing(),
    spec("list.inside", "list", "Between the list and what stands beside it", "focus detail"),
    spec("accounts.log", "accounts", "Log an activity for this account", "add work").writing(),
    spec("accounts.project", "accounts", "New project of this account", "add").writing(),
    spec("list.archived", "list", "Show or hide what is archived", "hidden"),
    spec("outlets.tab", "outlets", "Next tab: list, quality, territories", "dashboard rules units"),
    spec("territories.levels", "outlets", "Levels of the hierarchy, or the units", "detect chain sizes"),
    spec("territories.chain", "outlets", "Other levels that the columns show", "hierarchy"),
    spec(
        "territories.violations",
        "outlets",
        "Outlets that contradict the levels",
        "violating rows stray hierarchy",
    ),
    spec("territories.limit", "outlets", "How many outlets a unit may hold", "size"),
    spec("territories.keep", "outlets", "What stays together in a split", "beats distributors"),
    spec("territories.make", "outlets", "Make the planning units", "split commit apply").writing(),
    spec("outlets.sort", "outlets", "Sort by a field", "order"),
    spec("outlets.reverse", "outlets", "Turn the order round", "sort descending"),
    spec("outlets.sum", "outlets", "Values of a field and how many have each", "facets group count"),
    spec("outlets.set", "outlets", "Set a field of the marked rows", "bulk change edit all").writing(),
    spec("outlets.mend", "outlets", "Mend all that the rule points at", "fix swap coordinates").writing(),
    spec(
        "outlets.queue",
        "outlets",
        "What mending makes of each row",
        "assign suggest nearest territory distributor route",
    ),
    spec("outlets.export", "outlets", "Export what is listed to a file", "csv save write"),
    spec("outlets.import", "outlets", "Import a file of outlets", "csv excel upload").writing(),
    spec("routes.optimise", "routes", "Optimise the plan in the background", "solve better route").writing(),
    spec("routes.mend", "routes", "Optimise around the outlet, at once", "edited replan").writing(),
    spec("routes.stop", "routes", "Stop the run; the best plan so far stays", "cancel").writing(),
    spec("routes.pause", "routes", "Pause the run, or go on with it", "hold resume").writing(),
    spec("routes.look", "routes", "The better plan beside what stands", "compare offer"),
    spec("routes.map_better", "routes", "The better plan on the map, or what stands", "before after"),
    spec("routes.keep", "routes", "Keep the better plan as a new version", "accept").writing(),
    spec("routes.versions", "routes", "Versions of the plan", "history restore"),
    spec("routes.new", "routes", "Keep the plan as it stands, or today's beats, as a version", "create save")
        .writing(),
    spec("routes.lacks", "routes", "What planning lacks", "missing inputs position hours"),
    spec("routes.preset", "routes", "What the plan is for: balanced, least travel, few changes", "weights")
        .writing(),
    spec("routes.next_day", "routes", "The next day", "week route"),
    spec("routes.last_day", "routes", "The day before", "week route"),
    spec("routes.next_week", "routes", "The same day of the next week", "route"),
    spec("routes.tier", "routes", "Only outlets of one tier on the map", "filter class"),
    spec("routes.clusters", "routes", "Counts instead of dots on the map", "clusters"),
    spec("routes.blocks", "routes", "The map in half blocks, in braille", "dots canvas font"),
    spec("routes.outlines", "routes", "Outlines around reps, around distributors", "hull boundary polygon"),
    spec("routes.move", "routes", "Move the outlet, or those marked, to another rep or day", "assign")
        .writing(),
    spec("routes.earlier", "routes", "Visit the outlet earlier in the day", "order sequence up").writing(),
    spec("routes.later", "routes", "Visit the outlet later in the day", "order sequence down").writing(),
    spec("routes.pin", "routes", "Pin the outlet to its rep and days, or free it", "lock").writing(),
    spec("routes.sheets", "routes", "Write the rep's route sheets", "print calendar ics html"),
    spec(
        "routes.areas",
        "routes",
        "Read distributors' outlines from a GeoJSON file",
        "polygon boundary import",
    ),
    spec("routes.lock", "routes", "Take the unit, or give it back", "lock hold free break").writing(),
    spec("routes.export", "routes", "Write the plan to a file", "csv geojson html json"),
    spec("map.in", "map", "Nearer", "zoom"),
    spec("map.out", "map", "Farther away", "zoom"),
    spec("map.left", "map", "To the west", "pan"),
    spec("map.right", "map", "To the east", "pan"),
    spec("map.up", "map", "To the north", "pan"),
    spec("map.down", "map", "To the south", "pan"),
    spec("map.all", "map", "All of it", "fit zoom"),
    spec("migration.load", "migration", "Load a file of legacy activities", "import csv excel").writing(),
    spec("migration.batch", "migration", "Another load", "batch file choose"),
    spec(
        "migration.tab",
        "migration",
        "Next: months, by owner and type, unknown texts, made records",
        "names stubs",
    ),
    spec("migration.confirm", "migration", "Confirm the month", "agree").writing(),
    spec("migration.promote", "migration", "Promote the month: its drafts become activities", "live")
        .writing(),
    spec("migration.rollback", "migration", "Roll the month back", "revert take back undo").writing(),
    spec("migration.reopen", "migration", "Open a confirmed month again", "").writing(),
    spec("migration.rules", "migration", "Rules for duplicates and missing effort", "overwrite merge")
        .writing(),
    spec("migration.issue", "migration", "Only rows of one issue", "filter waits near owner"),
    spec("migration.live", "migration", "The live activity counts", "keep merge duplicate").writing(),
    spec("migration.legacy", "migration", "The file counts", "overwrite merge duplicate").writing(),
    spec("migration.newer", "migration", "The newer one counts", "merge duplicate").writing(),
    spec("migration.both", "migration", "Both texts, one behind the other", "concatenate merge").writing(),
    spec("migration.own", "migration", "The row is an activity of its own", "new different").writing(),
    spec("migration.reject", "migration", "Reject the row", "skip leave out").writing(),
    spec("migration.as_rules", "migration", "As the rules say: take the choice back", "reset").writing(),
    spec("migration.stubs", "migration", "Make records of unknown texts", "create accounts stubs").writing(),
    spec("migration.unstub", "migration", "Take away made records that nothing uses", "drop stubs").writing(),
    spec("migration.finish", "migration", "Finish: put the rows away", "archive end").writing(),
    spec("history.undo", "history", "Undo this change", "revert take back").writing(),
    spec("jobs.cancel", "jobs", "Stop the job", "cancel kill").writing(),
    spec("wins.owner", "wins", "Owner: all or me", "scope mine"),
    spec("wins.source", "wins", "Source: both, own, imported", "salesforce"),
    spec("wins.outcome", "wins", "Show wins, losses or both", "won lost"),
    spec("wins.feature", "wins", "Make it the win of the month", "story highlight").writing(),
    spec("wins.compare", "wins", "Compare own entries with imported ones", "match difference"),
    spec("wins.versions", "wins", "Versions of the month", "restore earlier imports"),
    spec("wins.names", "wins", "Owners and accounts nobody has named", "unmatched unknown alias"),
    spec("wins.import", "wins", "Import a workbook", "salesforce excel csv upload").writing(),
    spec("admin.sync", "admin", "Sync with the server now", "push pull send fetch").writing(),
    spec("admin.reconcile", "admin", "Compare all records with the server's", "verify digest repair")
        .writing(),
    spec("imports.wins", "imports", "Import wins and losses", "salesforce excel csv workbook").writing(),
    spec("imports.accounts", "imports", "Import accounts", "customers excel csv").writing(),
    spec("imports.projects", "imports", "Import projects", "excel csv").writing(),
    spec("imports.outlets", "imports", "Import outlets, beats, sales", "shops stores csv excel").writing(),
    spec("imports.distributors", "imports", "Import distributors", "dealers csv excel").writing(),
    spec("imports.chains", "imports", "Import chains", "banners key accounts csv excel").writing(),
    spec("imports.reps", "imports", "Import reps", "salespeople csv excel").writing(),
    spec("imports.salesforce", "imports", "Import a month's wins from Salesforce", "pull crm opportunities")
        .writing(),
    spec("imports.again", "imports", "Review a committed file again", "reparse repeat").writing(),
    spec("review.commit", "review", "Commit the import", "save write").writing(),
    spec("review.leave", "review", "Leave; the review is kept", "back cancel"),
    spec("review.drop", "review", "Give the import up", "discard cancel delete").writing(),
    spec("review.down", "review", "Down", ""),
    spec("review.up", "review", "Up", ""),
    spec("review.page_down", "review", "Next page", ""),
    spec("review.page_up", "review", "Page before", ""),
    spec("review.top", "review", "First", ""),
    spec("review.bottom", "review", "Last", ""),
    spec("review.part", "review", "Next part: months, problems, rows", "focus"),
    spec("review.open", "review", "Go into the rows; say what a column is", "enter"),
    spec("review.next", "review", "Next problem", ""),
    spec("review.last", "review", "Problem before", ""),
    spec("review.choose_1", "review", "Take the first choice", "fix").writing(),
    spec("review.choose_2", "review", "Take the second choice", "fix").writing(),
    spec("review.choose_3", "review", "Take the third choice", "fix").writing(),
    spec("review.choose_4", "review", "Take the fourth choice", "fix").writing(),
    spec("review.choose_5", "review", "Take the fifth choice", "fix").writing(),
    spec("review.edit", "review", "Type what this row should say", "fix mend").writing(),
    spec("review.edit_alike", "review", "Type it for all rows alike", "fix map value").writing(),
    spec("review.aside", "review", "Set the row aside", "skip quarantine").writing(),
    spec("review.aside_all", "review", "Set all rows of the problem aside", "skip quarantine").writing(),
    spec("review.back", "review", "Take the last answer back", "undo").writing(),
    spec("review.append", "review", "Replace or append", "").writing(),
    spec("review.stubs", "review", "Make accounts that are not known", "").writing(),
    spec("review.toggle", "review", "Take the month or leave it as it is", "tick").writing(),
    spec("review.columns", "review", "Columns, or back to the rows", "mapping"),
    spec("review.clear", "review", "The column stands for nothing", "").writing(),
    spec("review.sheet", "review", "Read the next sheet", "table").writing(),
    spec("review.header", "review", "Another row names the columns", "table").writing(),
    spec("review.dialect", "review", "Say how the text is written", "encoding delimiter quote dialect")
        .writing(),
    spec("review.rejects", "review", "Write the rows that wait to a file", "export"),
    spec("drafts.mine", "drafts", "Resolve: mine counts", "conflict").writing(),
    spec("drafts.theirs", "drafts", "Resolve: theirs counts", "conflict").writing(),
    spec("drafts.base", "drafts", "Resolve: as it was before", "conflict").writing(),
    spec("drafts.retry", "drafts", "Try again: those marked, or all that wait", "save conflict").writing(),
    spec("form.save", "form", "Save", "submit").writing(),
    spec("form.next", "form", "Next field", ""),
    spec("form.last", "form", "Field before", ""),
    spec("form.enter", "form", "Take the suggestion, else next field or save", ""),
    spec("form.down", "form", "Next suggestion or field", ""),
    spec("form.up", "form", "Suggestion or field before", ""),
    spec("form.editor", "form", "Write the text in your editor", "$EDITOR vi long"),
    spec("form.leave", "form", "Leave; what is typed can be kept as a draft", "cancel"),
    spec("line.take", "line", "Save the line", "submit"),
    spec("line.leave", "line", "Leave the line", "cancel"),
    spec("line.earlier", "line", "Earlier line", "history"),
    spec("line.later", "line", "Later line", "history"),
    spec("line.as_form", "line", "Go on in the form", ""),
    spec("confirm.yes", "confirm", "Yes", ""),
    spec("confirm.no", "confirm", "No", ""),
    spec("confirm.draft", "confirm", "Keep as a draft", ""),
    spec("overlay.close", "overlay", "Close", ""),
    spec("overlay.take", "overlay", "Run", ""),
    spec("overlay.down", "overlay", "Down", ""),
    spec("overlay.up", "overlay", "Up", ""),
    spec("overlay.page_down", "overlay", "Next page", ""),
    spec("overlay.page_up", "overlay", "Page before", ""),
];

pub fn find(id: &str) -> Option<&'static Spec> {
    ALL.iter().find(|c| c.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keys::Keymap;
    use std::collections::HashSet;

    #[test]
    fn every_command_is_declared_once_and_has_a_key() {
        let mut seen = HashSet::new();
        ALL.iter().for_each(|spec| assert!(seen.insert(spec.id), "{} twice", spec.id));
        for (name, _) in crate::tui::keys::BUILT_IN {
            let keymap = Keymap::load(name, None).unwrap();
            assert!(keymap.warnings.is_empty(), "{name}: {:?}", keymap.warnings);
            let bound: HashSet<&str> = keymap.all().map(|(_, _, command)| command).collect();
            for spec in ALL {
                assert!(bound.contains(spec.id), "{name}: {} has no key", spec.id);
            }
        }
    }
}
