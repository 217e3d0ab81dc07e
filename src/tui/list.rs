//! Where a list stands: cursor, first row shown, marks. Pages flip instead of
//! scrolling by a line, since each scrolled line costs a page of bytes over SSH.

use crate::domain::Id;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Default)]
pub struct ListState {
    pub cursor: usize,
    pub top: usize,
    /// Rows that fit, set by layout.
    pub height: usize,
    pub len: usize,
    pub marks: BTreeSet<Id>,
    /// Scrolls by the line instead of flipping pages.
    pub by_line: bool,
}

impl ListState {
    /// Takes a list command; false when it is none.
    pub fn command(&mut self, id: &str) -> bool {
        let page = self.height.max(1);
        let to = match id {
            "list.down" => self.cursor + 1,
            "list.up" => self.cursor.saturating_sub(1),
            "list.page_down" => self.cursor + page,
            "list.page_up" => self.cursor.saturating_sub(page),
            "list.top" => 0,
            "list.bottom" => self.len.saturating_sub(1),
            _ => return false,
        };
        self.cursor = to.min(self.len.saturating_sub(1));
        self.settle();
        true
    }

    pub fn set_len(&mut self, len: usize) {
        self.len = len;
        self.cursor = self.cursor.min(len.saturating_sub(1));
        self.settle();
    }

    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        self.settle();
    }

    /// Rows came or went before the first one held.
    pub fn shift(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by);
        self.top = self.top.saturating_add_signed(by);
    }

    /// Flips to the page that shows the cursor.
    fn settle(&mut self) {
        let height = self.height.max(1);
        if self.cursor < self.top {
            self.top = if self.by_line { self.cursor } else { (self.cursor + 1).saturating_sub(height) };
        } else if self.cursor >= self.top + height {
            self.top = if self.by_line { self.cursor + 1 - height } else { self.cursor };
        }
        // No half-empty page at the end when earlier rows could fill it.
        self.top = self.top.min(self.len.saturating_sub(height));
    }

    /// The cursor to a line of those shown.
    pub fn point(&mut self, line: usize) {
        if line < self.visible().len() {
            self.cursor = self.top + line;
        }
    }

    pub fn visible(&self) -> std::ops::Range<usize> {
        self.top..(self.top + self.height).min(self.len)
    }

    pub fn toggle(&mut self, id: Id) {
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
    }

    /// `1-13 of 34`
    pub fn position(&self, more: bool) -> String {
        if self.len == 0 {
            return "0 of 0".into();
        }
        let range = self.visible();
        format!("{}-{} of {}{}", range.start + 1, range.end, self.len, if more { "+" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cursor_is_always_in_sight(len in 0usize..200, height in 1usize..40, moves in prop::collection::vec(0usize..6, 0..60)) {
            let mut list = ListState::default();
            list.set_height(height);
            list.set_len(len);
            let commands = ["list.down", "list.up", "list.page_down", "list.page_up", "list.top", "list.bottom"];
            for n in moves {
                prop_assert!(list.command(commands[n]));
                prop_assert!(len == 0 || list.visible().contains(&list.cursor));
                prop_assert!(list.visible().len() == len.min(height));
            }
        }
    }
}
