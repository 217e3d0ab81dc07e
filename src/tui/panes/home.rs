//! Home: the month's wins, my month, what needs me, my week, my accounts.

use crate::domain::effort::{show_days, show_effort};
use crate::domain::schema::Kind;
use crate::domain::when::{Month, show_day};
use crate::domain::{Outcome, text};
use crate::engine::{Engine, Progress};
use crate::services::activities::{DueSteps, LastTouched, ListActivities, MonthSum, SumMonth};
use crate::services::drafts::ListDrafts;
use crate::services::imports::{ListReviews, Open};
use crate::services::jobs::{Job, ListJobs};
use crate::services::notices::{ListNotices, ReadNotices};
use crate::services::plans::{ListOffers, OfferLine};
use crate::services::records::Page;
use crate::services::setup::Me;
use crate::services::show::Item;
use crate::services::state::GetState;
use crate::services::wins::{Callout, ListWins, ShowCallout};
use crate::tui::app::Cx;
use crate::tui::msg::{Data, Slot};
use crate::tui::panes::{Ask, Pane, PaneId, new_activity};
use crate::tui::widgets::{DrawCx, part, put, put_line, rule};
use chrono::{Datelike, Days, NaiveDate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What Home shows, fetched at once.
pub struct HomeData {
    pub callout: Callout,
    pub wins: Page,
    pub hidden: bool,
    pub sum: MonthSum,
    pub last_sum: MonthSum,
    pub week: Page,
    pub due: Page,
    pub drafts: Page,
    /// Imports that wait for somebody.
    pub imports: Vec<Open>,
    /// What I have not read yet, the newest first.
    pub notices: Vec<Item>,
    pub touched: Page,
    /// Under way in the background.
    pub jobs: Vec<Job>,
    /// Better plans that nobody has kept yet.
    pub offers: Vec<OfferLine>,
}

#[derive(Default)]
pub struct Home {
    pub data: Option<HomeData>,
    focus: usize,
    me: Option<Me>,
}

/// The boxes that Tab goes through, and where Enter leads.
const BOXES: [PaneId; 4] = [PaneId::Wins, PaneId::Activities, PaneId::Drafts, PaneId::Accounts];
/// Wins shown in the callout, by the height of the pane.
fn wins_shown(height: u16) -> usize {
    match height {
        0..30 => 3,
        30..45 => 5,
        _ => 10,
    }
}
/// Notices that are counted.
const NOTICES: usize = 100;
/// From this width on the callout and the boxes stand beside each other.
const WIDE: u16 = 90;
/// Activities of a week that are looked at.
const WEEK: usize = 200;

fn waiting(mut jobs: Vec<Job>) -> Vec<Job> {
    jobs.retain(Job::is_open);
    jobs
}

impl Pane for Home {
    fn scopes(&self) -> Vec<&'static str> {
        vec!["home", "list", "global"]
    }

    fn hints(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("log.open", "log"),
            ("record.add", "new"),
            ("record.open", "open"),
            ("home.next_box", "next box"),
            ("find.open", "find"),
            ("home.hide_callout", "hide callout"),
            ("app.undo", "undo"),
            ("palette.open", "any action"),
        ]
    }

    fn refresh(&mut self, _kinds: &[Kind], cx: &mut Cx) {
        self.load(cx);
    }

    fn job(&mut self, progress: Progress, cx: &mut Cx) {
        if progress.ended {
            self.load(cx);
        }
    }

    fn lacks(&self) -> &'static [&'static str] {
        &[
            "list.inside",
            "list.archived",
            "list.mark",
            "list.mark_all",
            "list.copy",
            "list.page_down",
            "list.page_up",
            "list.top",
            "list.bottom",
            "record.edit",
            "record.delete",
            "record.archive",
            "record.merge",
            "list.filter",
        ]
    }

    fn load(&mut self, cx: &mut Cx) {
        self.me = Some(cx.me.clone());
        let today = cx.me.today;
        let question = move |engine: &Engine| -> Outcome<Box<HomeData>> {
            let month = Month::of(today);
            let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
            let mine = |owner: &str| ListActivities {
                owner: owner.into(),
                limit: WEEK,
                ..ListActivities::default()
            };
            let all = || {
                let callout = engine.ask(&ShowCallout { month: None })?;
                let hidden = engine.ask(&GetState { prefix: HIDDEN.into() })?;
                let wins = ListWins { month: callout.month, limit: 50, ..ListWins::default() };
                let mut wins = engine.ask(&wins)?;
                // What is in the import too is counted there, once.
                wins.items.retain(|item| !item.flag("twice"));
                Ok(Box::new(HomeData {
                    hidden: hidden.iter().any(|(_, text)| *text == callout.text),
                    wins,
                    callout,
                    sum: engine.ask(&SumMonth { month, owner: "me".into() })?,
                    last_sum: engine.ask(&SumMonth { month: month.plus(-1), owner: "me".into() })?,
                    week: engine.ask(&ListActivities {
                        from: Some(monday),
                        to: Some(monday + Days::new(6)),
                        ..mine("me")
                    })?,
                    due: engine.ask(&DueSteps { until: today + Days::new(7), undated: false, limit: 20 })?,
                    drafts: engine.ask(&ListDrafts {})?,
                    imports: engine.ask(&ListReviews {})?,
                    notices: engine.ask(&ListNotices { read: false, limit: NOTICES })?.items,
                    touched: engine.ask(&LastTouched { limit: 8 })?,
                    jobs: waiting(engine.ask(&ListJobs {})?),
                    offers: engine.ask(&ListOffers {})?,
                }))
            };
            all()
        };
        cx.ask(Slot::Home, question, |panes, data, _| panes.home.data = Some(*data));
    }

    fn command(&mut self, id: &str, cx: &mut Cx) -> Ask {
        match id {
            "record.open" => {
                let (pane, month) = self.target();
                return Ask::Go(pane, month);
            }
            "record.add" => return new_activity(Default::default()),
            "home.next_box" | "list.down" => self.focus = (self.focus + 1) % BOXES.len(),
            "home.last_box" | "list.up" => self.focus = (self.focus + BOXES.len() - 1) % BOXES.len(),
            "home.read_notices" => {
                return match self.data.as_ref().map_or(0, |d| d.notices.len()) {
                    0 => Ask::Say("No news".into()),
                    _ => Ask::Act(Box::new(|engine| {
                        let read = engine.run(&ReadNotices::default());
                        Data::Done(
                            read.map(|r| (format!("{} read", text::count(r.reply, "notice")), Some(r.txn))),
                        )
                    })),
                };
            }
            "home.hide_callout" => {
                if let Some(data) = &mut self.data {
                    data.hidden = !data.hidden;
                    let text = data.hidden.then(|| data.callout.text.clone());
                    let word =
                        if data.hidden { "Hidden until it changes; x shows it again" } else { "Shown again" };
                    cx.remember(
                        &format!("{HIDDEN}{}", data.callout.month.map(|m| m.to_string()).unwrap_or_default()),
                        text,
                    );
                    return Ask::Say(word.into());
                }
            }
            _ => {}
        }
        Ask::Nothing
    }

    fn layout(&mut self, _area: Rect, _cx: &mut Cx) {}

    fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) {
        let (Some(data), Some(me)) = (&self.data, &self.me) else {
            put(buf, area, 1, 1, "loading", cx.style("text.muted"));
            return;
        };
        let wins = data.wins.items.len().clamp(1, wins_shown(area.height));
        let callout = if data.hidden { 1 } else { 2 + wins as u16 };
        self.draw_callout(part(area, 0, 0, area.width, callout), buf, data, cx);
        let rest = part(area, 0, callout, area.width, area.height.saturating_sub(callout));
        if cx.beside(area, WIDE) {
            let half = area.width / 2;
            let (left, right) = (
                part(rest, 0, 0, half - 1, rest.height),
                part(rest, half, 0, rest.width - half, rest.height),
            );
            let split = (rest.height / 2).max(7);
            self.draw_month(part(left, 0, 0, left.width, split), buf, data, me, cx);
            self.draw_week(
                part(left, 0, split, left.width, left.height.saturating_sub(split)),
                buf,
                data,
                me,
                cx,
            );
            self.draw_needs(part(right, 0, 0, right.width, split), buf, data, me, cx);
            self.draw_accounts(
                part(right, 0, split, right.width, right.height.saturating_sub(split)),
                buf,
                data,
                me,
                cx,
            );
        } else {
            let month = 5.min(rest.height);
            let needs = (1
                + data.drafts.items.len().min(1)
                + data.imports.len().min(1)
                + data.notices.len().min(2)
                + data.jobs.len().min(1)
                + data.due.items.len().clamp(1, 3)) as u16;
            self.draw_month(part(rest, 0, 0, rest.width, month), buf, data, me, cx);
            self.draw_needs(part(rest, 0, month, rest.width, needs), buf, data, me, cx);
            let below = part(rest, 0, month + needs, rest.width, rest.height.saturating_sub(month + needs));
            self.draw_week(part(below, 0, 0, below.width, 4), buf, data, me, cx);
            self.draw_accounts(
                part(below, 0, 4, below.width, below.height.saturating_sub(4)),
                buf,
                data,
                me,
                cx,
            );
        }
    }
}

impl Home {
    /// Where Enter leads from the box in focus.
    fn target(&self) -> (PaneId, Option<Month>) {
        let month = self.data.as_ref().and_then(|d| d.callout.month);
        let pane = BOXES[self.focus];
        (pane, month.filter(|_| pane == PaneId::Wins))
    }

    /// A box's title; the one in focus has a sign.
    fn title(&self, place: usize, text: &str) -> String {
        if self.focus == place { format!("> {text}") } else { text.to_owned() }
    }

    fn draw_callout(&self, area: Rect, buf: &mut Buffer, data: &HomeData, cx: &DrawCx) {
        let callout = &data.callout;
        if data.hidden {
            rule(buf, area, 0, &self.title(0, "Wins & losses (hidden)"), "x show", cx);
            return;
        }
        let shown = usize::from(area.height).saturating_sub(2);
        let more = match data.wins.items.len().saturating_sub(shown) {
            0 => String::new(),
            more => format!("{more} more in 3"),
        };
        rule(buf, area, 0, &self.title(0, &callout.text), &more, cx);
        if callout.month.is_none() {
            let text = "Enter one: 3, then a; or pams wins add --outcome win --account NAME --amount 84000";
            put(buf, area, 2, 1, &cx.cut(text, usize::from(area.width) - 3), cx.style("text.muted"));
            return;
        }
        let sums =
            |all: &[crate::domain::Money]| all.iter().map(|m| m.to_string()).collect::<Vec<_>>().join(" + ");
        let line = format!(
            "won {}   lost {}   yours: {} won, {} lost",
            sums(&callout.won),
            sums(&callout.lost),
            callout.your_wins,
            callout.your_losses
        );
        put(buf, area, 2, 1, &cx.cut(&line, usize::from(area.width) - 3), cx.style("text"));
        let featured = callout.featured.as_ref();
        let wide = cx.beside(area, WIDE);
        let half = if wide { area.width / 2 } else { area.width };
        for (y, item) in data.wins.items.iter().take(shown).enumerate() {
            draw_win(part(area, 0, 2 + y as u16, half - 1, 1), buf, item, cx);
        }
        if let (true, Some(win)) = (wide, featured) {
            let right = part(area, half, 2, area.width - half, shown as u16);
            let amount = format!("{} {}", win.text("amount_text"), win.text("amount_currency"));
            let title = format!("Win of the month: {} {}", win.text("account"), amount.trim());
            put(buf, right, 1, 0, &cx.cut(&title, usize::from(right.width) - 2), cx.style("text.title"));
            let story = match win.text("story") {
                story if story.is_empty() => "No story yet: f in Wins features one".to_owned(),
                story => format!("\"{story}\""),
            };
            put(buf, right, 1, 1, &cx.cut(&story, usize::from(right.width) - 2), cx.style("text.muted"));
            put(
                buf,
                right,
                1,
                2,
                &cx.cut(&win.text("owner"), usize::from(right.width) - 2),
                cx.style("text.muted"),
            );
        }
    }

    fn draw_month(&self, area: Rect, buf: &mut Buffer, data: &HomeData, me: &Me, cx: &DrawCx) {
        let month = Month::of(me.today);
        let days = |minutes| show_days(minutes, me.day_minutes);
        let last = format!("{}: {}", month.plus(-1).short(), days(data.last_sum.minutes));
        let title = self.title(1, &format!("My {}: {}", month.long(), days(data.sum.minutes)));
        rule(buf, area, 0, &title, &last, cx);
        if data.sum.by_type.is_empty() {
            put(
                buf,
                area,
                2,
                1,
                &cx.cut(
                    "Nothing logged this month: press ; and write what you did",
                    usize::from(area.width) - 3,
                ),
                cx.style("text.muted"),
            );
            return;
        }
        let most = data.sum.by_type.first().map_or(1, |t| t.1.max(1));
        let room = usize::from(area.width.saturating_sub(28));
        for (y, (name, minutes, _)) in
            data.sum.by_type.iter().take(usize::from(area.height).saturating_sub(1)).enumerate()
        {
            let bar = cx.bar().repeat((*minutes as usize * room.min(24)) / most as usize);
            let pieces = [
                (format!("  {}", cx.fit(name, 15)), cx.style("text")),
                (cx.fit_right(&days(*minutes), 7) + "  ", cx.style("text")),
                (bar, cx.style("bar")),
            ];
            put_line(buf, part(area, 0, 1 + y as u16, area.width, 1), 0, &pieces);
        }
    }

    fn draw_needs(&self, area: Rect, buf: &mut Buffer, data: &HomeData, me: &Me, cx: &DrawCx) {
        let news = if data.notices.is_empty() { "9 opens drafts" } else { "m marks news as read" };
        rule(buf, area, 0, &self.title(2, "Needs you"), news, cx);
        let mut lines: Vec<(String, &str)> = Vec::new();
        if !data.drafts.items.is_empty() {
            let count = data.drafts.items.len();
            let first = data.drafts.items[0].text("title");
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            lines.push((format!("{}: {first}{more}", text::count(count, "draft")), "text"));
        }
        if let Some(first) = data.imports.first() {
            let more = if data.imports.len() > 1 {
                format!(" and {} more", data.imports.len() - 1)
            } else {
                String::new()
            };
            lines.push((format!("import waits for review (8): {}{more}", first.file), "status.warning"));
        }
        if let Some(job) = data.jobs.first() {
            let more = data.jobs.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push((format!("under way (g j): {}{more}", job.title), "text"));
        }
        let better = data.offers.iter().filter(|o| o.state == "ended" && !o.word.is_empty());
        lines.extend(better.map(|o| (format!("better plan (5): {}, {}", o.name, o.word), "status.good")));
        // The first says how many there are, the next one what else is new.
        let more = data.notices.len();
        for (n, notice) in data.notices.iter().take(2).enumerate() {
            let lead = if n == 0 && more > 1 { format!("{more} new: ") } else { "new: ".into() };
            lines.push((format!("{lead}{}", notice.text("text")), "text.title"));
        }
        for item in &data.due.items {
            let due: Option<NaiveDate> = item.text("next_due").parse().ok();
            let late = due.is_some_and(|d| d < me.today);
            let when = match due {
                Some(d) if d == me.today => "today".into(),
                Some(d) => show_day(d),
                None => String::new(),
            };
            let style = if late { "status.warning" } else { "text" };
            lines.push((format!("{when}: {}, {}", item.text("next_step"), item.text("account")), style));
        }
        if lines.is_empty() {
            lines.push(("Nothing waits for you".into(), "text.muted"));
        }
        for (y, (text, style)) in lines.iter().take(usize::from(area.height).saturating_sub(1)).enumerate() {
            put(buf, area, 2, 1 + y as u16, &cx.cut(text, usize::from(area.width) - 3), cx.style(style));
        }
    }

    fn draw_week(&self, area: Rect, buf: &mut Buffer, data: &HomeData, me: &Me, cx: &DrawCx) {
        let missing: Vec<String> = data.sum.not_logged.iter().map(|d| d.day().to_string()).collect();
        let note = match missing.is_empty() {
            true => String::new(),
            false => format!("not logged in {}: {}", Month::of(me.today).short(), missing.join(", ")),
        };
        rule(buf, area, 0, "This week", &note, cx);
        let monday = me.today - Days::new(u64::from(me.today.weekday().num_days_from_monday()));
        let column = (area.width / 5).max(6);
        for day in 0..5u16 {
            let date = monday + Days::new(u64::from(day));
            let of_day: Vec<&Item> =
                data.week.items.iter().filter(|i| i.text("date") == date.to_string()).collect();
            let minutes: i64 = of_day.iter().filter_map(|i| i.int("effort_minutes")).sum();
            let area = part(area, day * column, 1, column, area.height.saturating_sub(1));
            let style = if date == me.today { cx.style("text.title") } else { cx.style("text.muted") };
            let cells = usize::from(column).saturating_sub(2);
            put(buf, area, 1, 0, &cx.cut(&date.format("%a %d").to_string(), cells), style);
            let sum = match (of_day.is_empty(), minutes) {
                (true, _) => "-".to_owned(),
                (false, 0) => "hours?".to_owned(),
                (false, m) => show_effort(m),
            };
            put(buf, area, 1, 1, &cx.cut(&sum, cells), cx.style("text"));
            for (y, item) in of_day.iter().take(usize::from(area.height).saturating_sub(2)).enumerate() {
                let name = match item.text("account") {
                    name if name.is_empty() => item.text("type"),
                    name => name,
                };
                put(buf, area, 1, 2 + y as u16, &cx.cut(&name, cells), cx.style("text"));
            }
        }
    }

    fn draw_accounts(&self, area: Rect, buf: &mut Buffer, data: &HomeData, me: &Me, cx: &DrawCx) {
        if area.height < 2 {
            return;
        }
        rule(buf, area, 0, &self.title(3, "My accounts, last touched"), "", cx);
        if data.touched.items.is_empty() {
            let text = "None yet: what you log an activity for stands here";
            put(buf, area, 2, 1, &cx.cut(text, usize::from(area.width) - 3), cx.style("text.muted"));
        }
        for (y, item) in data.touched.items.iter().take(usize::from(area.height) - 1).enumerate() {
            let date: Option<NaiveDate> = item.text("date").parse().ok();
            let when = match date {
                Some(d) if d == me.today => "today".to_owned(),
                Some(d) if (me.today - d).num_days() > 14 => {
                    format!("quiet for {} days", (me.today - d).num_days())
                }
                Some(d) => show_day(d),
                None => String::new(),
            };
            let next = match item.text("next_step") {
                step if step.is_empty() => String::new(),
                step => format!("next: {step}"),
            };
            let line = format!("{} {} {next}", cx.fit(&item.text("account"), 20), cx.fit(&when, 18));
            put(
                buf,
                area,
                2,
                1 + y as u16,
                &cx.cut(line.trim_end(), usize::from(area.width) - 3),
                cx.style("text"),
            );
        }
    }
}

/// Local state: the callout's text when it was hidden, by month.
const HIDDEN: &str = "ui/callout/";

/// `+ won Vantage Systems  84,000 EUR  yours`, in columns.
pub fn draw_win(area: Rect, buf: &mut Buffer, item: &Item, cx: &DrawCx) {
    let won = item.text("outcome") == "win";
    let owner = if item.flag("yours") { "yours".into() } else { item.text("owner") };
    let (sign, style) = if won { ("+ won ", cx.style("won")) } else { ("- lost", cx.style("lost")) };
    let amount = match item.text("amount_text") {
        a if a.is_empty() => String::new(),
        a => format!("{a} {}", item.text("amount_currency")),
    };
    let wide = usize::from(area.width);
    let name = wide.saturating_sub(6 + 16 + 14 + 6).clamp(8, 30);
    let pieces = [
        (format!("  {sign} "), style),
        (cx.fit(&item.text("account"), name) + " ", cx.style("text")),
        (cx.fit_right(&amount, 15) + " ", cx.style("text")),
        (cx.cut(&owner, wide.saturating_sub(9 + name + 1 + 16)), cx.style("text.muted")),
    ];
    put_line(buf, area, 0, &pieces);
}
