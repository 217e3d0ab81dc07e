//! A window over rows in order: only those near the cursor are held, whatever the list's
//! length. It says what it wants next; the pane asks for it.

use crate::domain::Id;
pub use crate::domain::text::thousands;
use crate::services::records::Page;
use crate::services::show::Item;
use crate::tui::list::ListState;
use std::collections::VecDeque;

/// Rows asked for at a time.
pub const PAGE: usize = 200;
/// Rows held at the most.
const MOST: usize = 1_000;

/// What lies beyond an end of the window.
#[derive(Clone, Debug, PartialEq)]
enum Edge {
    /// Nothing: the list ends here.
    End,
    /// More, from this cursor on. `own`: the cursor's row is in the window already.
    More { cursor: String, own: bool },
    /// Asked for.
    Asked,
}

/// Where the window's first row stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Offset {
    /// So many rows are before it.
    Start(usize),
    /// So many are from it to the list's end: people jumped there, nobody counted.
    End(usize),
}

impl Offset {
    fn moved(self, by: isize) -> Offset {
        match self {
            Offset::Start(n) => Offset::Start(n.saturating_add_signed(by)),
            Offset::End(n) => Offset::End(n.saturating_add_signed(-by)),
        }
    }
}

/// Rows that are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// The list from its first row.
    Start,
    /// From its last row backwards.
    Tail,
    /// Those held, anew; none when the list is held from its first row.
    Again {
        cursor: Option<String>,
        rows: usize,
    },
    After {
        cursor: String,
    },
    Before {
        cursor: String,
        own: bool,
    },
}

impl Want {
    /// Rows come in the list's own order; else they are asked for the other way round.
    pub fn is_forward(&self) -> bool {
        !matches!(self, Want::Tail | Want::Before { .. })
    }

    pub fn cursor(&self) -> Option<String> {
        match self {
            Want::Start | Want::Tail => None,
            Want::Again { cursor, .. } => cursor.clone(),
            Want::After { cursor } | Want::Before { cursor, .. } => Some(cursor.clone()),
        }
    }

    pub fn limit(&self) -> usize {
        match self {
            Want::Again { rows, .. } => (*rows).clamp(PAGE, MOST),
            _ => PAGE,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Rows {
    items: VecDeque<Item>,
    before: Edge,
    after: Edge,
    offset: Offset,
    pub list: ListState,
    /// Every row that matches is marked but those in `list.marks`.
    pub all_marked: bool,
    pub loading: bool,
    /// What a row is asked for by.
    key: fn(&Item) -> String,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            items: VecDeque::new(),
            before: Edge::End,
            after: Edge::End,
            offset: Offset::Start(0),
            list: ListState::default(),
            all_marked: false,
            loading: false,
            key: |item| item.id.to_string(),
        }
    }
}

impl Rows {
    /// A window over rows that are asked for by something else than their ids.
    pub fn keyed(key: fn(&Item) -> String) -> Rows {
        Rows { key, ..Rows::default() }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    pub fn get(&self, place: usize) -> Option<&Item> {
        self.items.get(place)
    }

    /// The cursor to a row, if it is held.
    pub fn go_to(&mut self, id: Id) {
        if let Some(place) = self.items.iter().position(|item| item.id == id) {
            self.list.cursor = place;
            self.list.set_len(self.items.len());
        }
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&Item> {
        self.items.get(self.list.cursor)
    }

    /// The rows again, the cursor where it was.
    pub fn again(&mut self) -> Want {
        self.loading = true;
        let cursor = match self.before {
            Edge::End => None,
            _ => self.items.front().map(self.key),
        };
        Want::Again { cursor, rows: self.items.len() }
    }

    /// Holds nothing.
    pub fn empty(&mut self) {
        let (height, by_line, key) = (self.list.height, self.list.by_line, self.key);
        *self = Rows { list: ListState { height, by_line, ..ListState::default() }, key, ..Rows::default() };
    }

    /// Another list: from its first row, nothing marked.
    pub fn start(&mut self) -> Want {
        self.list.cursor = 0;
        self.list.top = 0;
        self.unmark();
        self.loading = true;
        Want::Start
    }

    /// Takes a list command; what must be fetched for it, if anything. None: not one.
    pub fn command(&mut self, id: &str) -> Option<Option<Want>> {
        match id {
            "list.top" if self.before != Edge::End => {
                self.loading = true;
                self.list.cursor = 0;
                return Some(Some(Want::Start));
            }
            "list.bottom" if self.after != Edge::End => {
                self.loading = true;
                return Some(Some(Want::Tail));
            }
            "list.mark" => {
                if let Some(id) = self.current().map(|item| item.id) {
                    self.list.toggle(id);
                    self.list.command("list.down");
                }
            }
            "list.mark_all" => {
                let all = self.all_marked && self.list.marks.is_empty();
                self.unmark();
                self.all_marked = !all;
            }
            _ if self.list.command(id) => {}
            _ => return None,
        }
        Some(self.near())
    }

    /// What lies just beyond the screen is fetched before it is needed.
    pub fn near(&mut self) -> Option<Want> {
        if self.loading {
            return None;
        }
        let ahead = 2 * self.list.height.max(1);
        let (edge, after) = if self.list.cursor + ahead >= self.items.len() && self.after != Edge::End {
            (&mut self.after, true)
        } else if self.list.top < ahead && self.before != Edge::End {
            (&mut self.before, false)
        } else {
            return None;
        };
        let Edge::More { cursor, own } = std::mem::replace(edge, Edge::Asked) else { return None };
        self.loading = true;
        Some(if after { Want::After { cursor } } else { Want::Before { cursor, own } })
    }

    /// Rows that were wanted.
    pub fn take(&mut self, want: &Want, page: Page) {
        self.loading = false;
        let more = |cursor: Option<String>| match cursor {
            Some(cursor) => Edge::More { cursor, own: false },
            None => Edge::End,
        };
        let under = self.current().map(|item| item.id);
        match want {
            Want::Start | Want::Again { .. } => {
                self.items = page.items.into();
                self.after = more(page.next);
                if want.cursor().is_none() {
                    self.before = Edge::End;
                    self.offset = Offset::Start(0);
                } else if let (Edge::End, Offset::End(_)) = (&self.after, self.offset) {
                    self.offset = Offset::End(self.items.len());
                }
                self.list.set_len(self.items.len());
                let place = under.and_then(|id| self.items.iter().position(|item| item.id == id));
                if let (Some(place), Want::Again { .. }) = (place, want) {
                    self.list.cursor = place;
                }
            }
            Want::Tail => {
                self.items = page.items.into_iter().rev().collect();
                self.before = more(page.next);
                self.after = Edge::End;
                self.offset = match self.before {
                    Edge::End => Offset::Start(0),
                    _ => Offset::End(self.items.len()),
                };
                self.list.cursor = self.items.len().saturating_sub(1);
                self.list.top = self.list.cursor;
            }
            Want::After { .. } => {
                self.items.extend(page.items);
                self.after = more(page.next);
                self.drop_front();
            }
            Want::Before { cursor, own } => {
                let new: Vec<Item> =
                    page.items.into_iter().filter(|item| !*own || (self.key)(item) != *cursor).collect();
                let count = new.len();
                new.into_iter().for_each(|item| self.items.push_front(item));
                self.before = more(page.next);
                self.offset = match self.before {
                    Edge::End => Offset::Start(0),
                    _ => self.offset.moved(-(count as isize)),
                };
                self.list.shift(count as isize);
                self.drop_back();
            }
        }
        self.list.set_len(self.items.len());
    }

    fn drop_front(&mut self) {
        let over = self.items.len().saturating_sub(MOST).min(self.list.top);
        if over > 0 {
            self.items.drain(..over);
            self.offset = self.offset.moved(over as isize);
            self.list.shift(-(over as isize));
            if let Some(first) = self.items.front() {
                self.before = Edge::More { cursor: (self.key)(first), own: true };
            }
        }
    }

    fn drop_back(&mut self) {
        let least = (self.list.cursor + 3 * self.list.height.max(1)).max(MOST);
        if self.items.len() > least {
            let cursor = (self.key)(&self.items[least]);
            self.items.truncate(least);
            self.after = Edge::More { cursor, own: false };
        }
    }

    /// `total` of an unfinished count is at least so many.
    pub fn position(&self, total: Option<(u64, bool)>) -> String {
        let shown = self.list.visible();
        let count = match (total, self.offset, &self.after) {
            (None, Offset::Start(n), Edge::End) => thousands((n + self.items.len()) as u64),
            (None, ..) => "many".into(),
            (Some((n, true)), ..) => thousands(n),
            (Some((n, false)), ..) => format!("{}+", thousands(n)),
        };
        if self.items.is_empty() {
            return format!("0 of {count}");
        }
        let first = match (self.offset, total) {
            (Offset::Start(n), _) => Some(n as u64),
            (Offset::End(n), Some((all, true))) => all.checked_sub(n as u64),
            _ => None,
        };
        match first {
            Some(first) => format!(
                "{}-{} of {count}",
                thousands(first + shown.start as u64 + 1),
                thousands(first + shown.end as u64)
            ),
            None => format!("the last of {count}"),
        }
    }

    pub fn is_marked(&self, id: Id) -> bool {
        self.list.marks.contains(&id) != self.all_marked
    }

    pub fn unmark(&mut self) {
        self.list.marks.clear();
        self.all_marked = false;
    }

    /// How many are marked; none when that is not counted yet.
    pub fn marked(&self, total: Option<(u64, bool)>) -> Option<usize> {
        match (self.all_marked, total) {
            (false, _) => Some(self.list.marks.len()),
            (true, Some((n, true))) => Some((n as usize).saturating_sub(self.list.marks.len())),
            (true, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A list of `all` rows, answering as the service does, `scan` rows at a time.
    fn answer(all: usize, want: &Want, scan: usize) -> Page {
        let id = |n: usize| Id::from_parts(n as u64 + 1, 0);
        let forward = want.is_forward();
        let from = match want.cursor() {
            None => {
                if forward {
                    0
                } else {
                    all.wrapping_sub(1)
                }
            }
            Some(cursor) => cursor.parse::<Id>().unwrap().unix_ms() as usize - 1,
        };
        let step = |n: usize| if forward { from + n } else { from.wrapping_sub(n) };
        let count = want.limit().min(scan);
        let places: Vec<usize> = (0..=count).map(step).take_while(|n| *n < all).collect();
        let item = |n: &usize| Item { id: id(*n), ..Item::default() };
        Page {
            items: places.iter().take(count).map(item).collect(),
            next: places.get(count).map(|n| id(*n).to_string()),
        }
    }

    proptest! {
        /// Wherever one goes, the rows held are neighbours in the list, the cursor is
        /// among them, the memory bounded and the position true.
        #[test]
        fn a_window_shows_the_list_and_nothing_else(
            all in 0usize..5_000,
            height in 1usize..70,
            scan in 20usize..400,
            moves in prop::collection::vec(0usize..7, 0..120),
        ) {
            let mut rows = Rows::default();
            rows.list.set_height(height);
            let commands =
                ["list.down", "list.up", "list.page_down", "list.page_up", "list.top", "list.bottom", "again"];
            let mut wants = vec![rows.start()];
            for n in moves.into_iter().map(Some).chain([None]) {
                while let Some(want) = wants.pop() {
                    let page = answer(all, &want, scan);
                    rows.take(&want, page);
                    wants.extend(rows.near());
                }
                let held: Vec<u64> = rows.iter().map(|item| item.id.unix_ms()).collect();
                prop_assert!(held.windows(2).all(|w| w[1] == w[0] + 1), "{held:?}");
                prop_assert!(held.len() <= MOST + 3 * height + 400);
                prop_assert!(all == 0 || rows.current().is_some());
                let shown = rows.list.visible();
                if all > 0 {
                    let (first, last) = (held[shown.start], held[shown.end - 1]);
                    let position = rows.position(Some((all as u64, true)));
                    prop_assert_eq!(
                        position,
                        format!("{}-{} of {}", thousands(first), thousands(last), thousands(all as u64))
                    );
                }
                match n.map(|n| commands[n]) {
                    Some("again") => wants.push(rows.again()),
                    Some(command) => wants.extend(rows.command(command).flatten()),
                    None => {}
                }
            }
        }
    }

    #[test]
    fn numbers_have_their_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
