//! What reaches the terminal, in few bytes: a line over SSH is slower than any machine.
//!
//! It knows what the terminal shows, so that it can print over a short gap of unchanged
//! cells where moving the cursor would cost more, move relatively where that is
//! shorter, and clear the end of a row with one sequence. Where much has changed it looks
//! whether that has only moved, up or down or to a side, and has the terminal move it.
//! Sequences are those of ECMA-48 that every terminal since the VT102 knows; colours are
//! those of ISO 8613-6.

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier};
use std::io::{Result, Write};
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// Unchanged cells that are printed again rather than jumped over: as many as a jump
/// has bytes.
const BRIDGE: u16 = 4;
/// Blank cells at a row's end from which clearing is shorter.
const CLEAR: usize = 4;

/// Changed cells of a screen, and of a row, from which it is looked whether they only moved.
const MANY: usize = 200;
const MANY_OF_ROW: usize = 16;
/// How far rows move up or down, and cells to a side.
const ROWS: i32 = 6;
const CELLS: i32 = 10;
/// Bytes that moving takes.
const MOVING: usize = 16;

pub struct Frugal<W: Write> {
    out: CrosstermBackend<W>,
    shown: Buffer,
    /// Whether the terminal is as large as what is known of it.
    sized: bool,
    /// Where the cursor stands, if that is known.
    at: Option<(u16, u16)>,
    style: Look,
    hidden: bool,
}

/// A cell without its text.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Look = Look { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

fn look(cell: &Cell) -> Look {
    Look { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && look(cell) == PLAIN
}

/// Whether a cell looks right when printed in a style: the ink of nothing is not seen.
fn fits(cell: &Cell, style: Look) -> bool {
    const SEEN: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);
    let of = look(cell);
    let unseen =
        cell.symbol() == " " && of.bg == style.bg && !of.modifier.union(style.modifier).intersects(SEEN);
    of == style || unseen
}

impl<W: Write> Frugal<W> {
    pub fn new(out: W) -> Frugal<W> {
        let shown = Buffer::empty(Rect::default());
        let out = CrosstermBackend::new(out);
        Frugal { out, shown, sized: false, at: None, style: PLAIN, hidden: false }
    }

    /// What is shown on a larger screen: each cell stays where it is. (A buffer that is resized
    /// keeps its cells in one long line, so that they would move.)
    fn grow(&mut self, width: u16, height: u16) {
        let area = Rect::new(0, 0, width, height);
        if area != self.shown.area {
            let mut grown = Buffer::empty(area);
            grown.merge(&self.shown);
            self.shown = grown;
            self.sized = false;
        }
    }

    /// What is moved beyond the edge of what is known has to be beyond that of the terminal.
    fn is_sized(&mut self) -> bool {
        let known = self.shown.area.as_size();
        self.sized = self.sized || self.out.size().is_ok_and(|size| size == known);
        self.sized
    }

    /// Rows that moved up or down are moved by the terminal: lines deleted and inserted
    /// between margins. `before` is what it shows, `shown` what it should.
    fn scroll(&mut self, before: &mut Buffer, rows: Range<u16>) -> Result<bool> {
        let width = self.shown.area.width;
        let from = |y: u16, by: i32| u16::try_from(i32::from(y) + by).ok().filter(|y| rows.contains(y));
        let bytes = |by: i32| -> usize {
            let of_row = |y: u16| match from(y, by) {
                Some(from) => differing(&self.shown, y, 0..width, |x| &before[(x, from)]),
                None => differing(&self.shown, y, 0..width, |_| &Cell::EMPTY),
            };
            rows.clone().map(of_row).sum()
        };
        let by = (1..=ROWS).flat_map(|n| [n, -n]).min_by_key(|by| bytes(*by)).unwrap_or(0);
        if bytes(by) + MOVING * 4 >= bytes(0) || rows.clone().any(|y| is_wide(before, &self.shown, y)) {
            return Ok(false);
        }
        let mut out = Vec::new();
        restyle(&mut out, &mut self.style, PLAIN)?;
        let (top, kind) = (rows.start + 1, if by > 0 { 'M' } else { 'L' });
        write!(out, "\x1b[{top};{}r\x1b[{top}H\x1b[{}{kind}\x1b[r", rows.end, by.abs())?;
        self.at = None;
        let old = before.clone();
        for (y, x) in rows.clone().flat_map(|y| (0..width).map(move |x| (y, x))) {
            before[(x, y)] = from(y, by).map_or(Cell::EMPTY, |from| old[(x, from)].clone());
        }
        self.out.write_all(&out)?;
        Ok(true)
    }

    /// Cells of a row that moved to a side are moved by the terminal: those before them
    /// deleted, or blanks inserted.
    fn shift(&mut self, before: &mut Buffer, y: u16) -> Result<bool> {
        let width = self.shown.area.width;
        let Some(first) = (0..width).find(|x| before[(*x, y)] != self.shown[(*x, y)]) else {
            return Ok(false);
        };
        let blank = Cell::EMPTY;
        let from = |x: u16, by: i32| {
            u16::try_from(i32::from(x) + by).ok().filter(|from| (first..width).contains(from))
        };
        let bytes = |by: i32| {
            differing(&self.shown, y, first..width, |x| from(x, by).map_or(&blank, |from| &before[(from, y)]))
        };
        let by = (1..=CELLS).flat_map(|n| [n, -n]).min_by_key(|by| bytes(*by)).unwrap_or(0);
        if bytes(by) + MOVING >= bytes(0) || is_wide(before, &self.shown, y) {
            return Ok(false);
        }
        let mut out = Vec::new();
        restyle(&mut out, &mut self.style, PLAIN)?;
        go(&mut out, self.at, (first, y))?;
        write!(out, "\x1b[{}{}", by.abs(), if by > 0 { 'P' } else { '@' })?;
        self.at = Some((first, y));
        let moved: Vec<Cell> = (first..width)
            .map(|x| from(x, by).map_or(blank.clone(), |from| before[(from, y)].clone()))
            .collect();
        (first..width).zip(moved).for_each(|(x, cell)| before[(x, y)] = cell);
        self.out.write_all(&out)?;
        Ok(true)
    }

    /// One row: its changed columns, in order, already in `shown`.
    fn row(&mut self, y: u16, changed: &[u16]) -> Result<()> {
        let width = self.shown.area.width;
        let cell = |x: u16| &self.shown[(x, y)];
        // From here on the row is blank.
        let mut end = width;
        while end > 0 && is_blank(cell(end - 1)) {
            end -= 1;
        }
        // The second half of a wide character is part of it.
        end = end.max(end.saturating_sub(1) + cell(end.saturating_sub(1)).symbol().width() as u16).min(width);
        let beyond = changed.iter().filter(|x| **x >= end).count();
        let clears = beyond >= CLEAR;
        let mut bytes: Vec<u8> = Vec::new();
        let (mut at, mut style) = (self.at, self.style);
        for x in changed.iter().copied().take_while(|x| !clears || *x < end) {
            let cell = cell(x);
            match at {
                Some((cx, cy)) if cy == y && cx == x => {}
                Some((cx, cy)) if cy == y && cx < x => {
                    let between = (cx..x).map(|x| &self.shown[(x, y)]);
                    let same = |c: &Cell| fits(c, style) && c.symbol().len() == 1;
                    if x - cx <= BRIDGE && between.clone().all(same) {
                        between.for_each(|c| bytes.extend(c.symbol().bytes()));
                    } else {
                        forward(&mut bytes, x - cx)?;
                    }
                }
                from => go(&mut bytes, from, (x, y))?,
            }
            if !fits(cell, style) {
                restyle(&mut bytes, &mut style, look(cell))?;
            }
            bytes.extend(cell.symbol().bytes());
            let after = x + cell.symbol().width().max(1) as u16;
            // Behind the last column terminals differ in where the cursor is.
            at = (after < width).then_some((after, y));
        }
        if clears {
            match at {
                Some((cx, cy)) if cy == y && cx <= end => {
                    if cx < end {
                        forward(&mut bytes, end - cx)?;
                    }
                }
                from => go(&mut bytes, from, (end, y))?,
            }
            restyle(&mut bytes, &mut style, PLAIN)?;
            bytes.extend(b"\x1b[K");
            at = Some((end, y));
        }
        (self.at, self.style) = (at, style);
        self.out.write_all(&bytes)
    }
}

/// Bytes of the cells of a row that are not as they would be.
fn differing<'a>(of: &Buffer, y: u16, columns: Range<u16>, is: impl Fn(u16) -> &'a Cell) -> usize {
    columns.map(|x| (x, &of[(x, y)])).filter(|(x, cell)| *cell != is(*x)).map(|(_, c)| c.symbol().len()).sum()
}

/// Whether a row has characters of two cells: what becomes of half of one differs.
fn is_wide(before: &Buffer, after: &Buffer, y: u16) -> bool {
    let wide = |of: &Buffer| (0..of.area.width).any(|x| of[(x, y)].symbol().width() > 1);
    wide(before) || wide(after)
}

/// To the right on the same row.
fn forward(bytes: &mut Vec<u8>, cells: u16) -> Result<()> {
    match cells {
        1 => bytes.write_all(b"\x1b[C"),
        n => write!(bytes, "\x1b[{n}C"),
    }
}

/// To another row: the start of the next one has a shorter way.
fn go(bytes: &mut Vec<u8>, from: Option<(u16, u16)>, (x, y): (u16, u16)) -> Result<()> {
    match from {
        Some((_, row)) if row + 1 == y => {
            bytes.extend(b"\r\n");
            if x > 0 { forward(bytes, x) } else { Ok(()) }
        }
        _ if x == 0 => write!(bytes, "\x1b[{}H", y + 1),
        _ => write!(bytes, "\x1b[{};{}H", y + 1, x + 1),
    }
}

/// Select graphic rendition, from nothing each time: it cannot be wrong, and styles of
/// a screen are short.
fn restyle(bytes: &mut Vec<u8>, from: &mut Look, to: Look) -> Result<()> {
    if *from == to {
        return Ok(());
    }
    *from = to;
    bytes.extend(b"\x1b[");
    const WEIGHTS: [(Modifier, u8); 9] = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::SLOW_BLINK, 5),
        (Modifier::RAPID_BLINK, 6),
        (Modifier::REVERSED, 7),
        (Modifier::HIDDEN, 8),
        (Modifier::CROSSED_OUT, 9),
    ];
    for (_, code) in WEIGHTS.into_iter().filter(|(m, _)| to.modifier.contains(*m)) {
        write!(bytes, ";{code}")?;
    }
    colour(bytes, to.fg, 30)?;
    colour(bytes, to.bg, 40)?;
    bytes.write_all(b"m")
}

fn colour(bytes: &mut Vec<u8>, colour: Color, base: u8) -> Result<()> {
    let named = |n: u8| if n < 8 { base + n } else { base + 60 + n - 8 };
    let number = match colour {
        Color::Reset => return Ok(()),
        Color::Indexed(n) if n >= 16 => return write!(bytes, ";{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => return write!(bytes, ";{};2;{r};{g};{b}", base + 8),
        Color::Indexed(n) => n,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    write!(bytes, ";{}", named(number))
}

impl<W: Write> Backend for Frugal<W> {
    type Error = std::io::Error;

    fn draw<'a, I>(&mut self, content: I) -> Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let cells: Vec<(u16, u16, &Cell)> = content.collect();
        // The terminal may have grown since the last frame; what is new there is blank.
        let far = |size: u16, all: &mut dyn Iterator<Item = u16>| all.max().map_or(size, |n| size.max(n + 1));
        let width = far(self.shown.area.width, &mut cells.iter().map(|c| c.0));
        let height = far(self.shown.area.height, &mut cells.iter().map(|c| c.1));
        self.grow(width, height);
        let many = cells.len() >= MANY && self.is_sized();
        let mut before = many.then(|| self.shown.clone());
        for (x, y, cell) in &cells {
            self.shown[(*x, *y)] = (*cell).clone();
            for half in (x + 1..x + cell.symbol().width() as u16).filter(|x| *x < width) {
                self.shown[(half, *y)] = Cell::EMPTY;
            }
        }
        let rows = cells.chunk_by(|a, b| a.1 == b.1);
        let mut rows: Vec<(u16, Vec<u16>)> =
            rows.map(|row| (row[0].1, row.iter().map(|c| c.0).collect())).collect();
        let left = |before: &Buffer, shown: &Buffer, y: u16| -> Vec<u16> {
            (0..width).filter(|x| before[(*x, y)] != shown[(*x, y)]).collect()
        };
        if let (Some(before), Some(first), Some(last)) = (&mut before, cells.first(), cells.last()) {
            let all = first.1..last.1 + 1;
            if self.scroll(before, all.clone())? {
                rows = all.map(|y| (y, left(before, &self.shown, y))).collect();
            }
        }
        for (y, mut changed) in rows {
            if let Some(before) = before.as_mut().filter(|_| changed.len() >= MANY_OF_ROW)
                && self.shift(before, y)?
            {
                changed = left(before, &self.shown, y);
            }
            if !changed.is_empty() {
                self.row(y, &changed)?;
            }
        }
        let mut bytes = Vec::new();
        restyle(&mut bytes, &mut self.style, PLAIN)?;
        self.out.write_all(&bytes)
    }

    fn hide_cursor(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.hidden, true) {
            self.out.hide_cursor()?;
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<()> {
        self.hidden = false;
        self.out.show_cursor()
    }

    fn get_cursor_position(&mut self) -> Result<Position> {
        self.out.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<()> {
        self.at = None;
        self.out.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> Result<()> {
        let size = self.size()?;
        self.shown = Buffer::empty(Rect::new(0, 0, size.width, size.height));
        (self.at, self.hidden, self.sized) = (None, false, true);
        self.out.clear_region(region)
    }

    fn size(&self) -> Result<Size> {
        self.out.size()
    }

    fn window_size(&mut self) -> Result<WindowSize> {
        self.out.window_size()
    }

    fn flush(&mut self) -> Result<()> {
        Backend::flush(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use ratatui::style::Style;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Bytes that were written since the last look.
    #[derive(Clone, Default)]
    struct Line(Rc<RefCell<Vec<u8>>>);

    impl Line {
        fn take(&self) -> Vec<u8> {
            std::mem::take(&mut self.0.borrow_mut())
        }
    }

    impl Write for Line {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    const SIZE: Rect = Rect { x: 0, y: 0, width: 40, height: 10 };

    /// Something like a screen: texts here and there, some wide, some styled.
    fn paint(random: &mut Random, buffer: &mut Buffer) {
        let texts = ["x", "a few words", "日本語の名前", "──────────", "Müller 👍 GmbH", "  ", "12.50"];
        let styles = [
            Style::new(),
            Style::new().bold(),
            Style::new().reversed(),
            Style::new().fg(Color::LightBlue),
            Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(99)).underlined(),
        ];
        for _ in 0..1 + random.below(12) {
            let (x, y) = (random.below(40) as u16, random.below(10) as u16);
            match random.below(5) {
                0 => buffer.set_style(Rect::new(0, y, 40, 1), Style::reset()),
                1 => buffer.set_string(0, y, " ".repeat(40), Style::reset()),
                // Programs do not write into the second half of a character.
                _ if x > 0 && buffer[(x - 1, y)].symbol().width() > 1 => {}
                _ => {
                    let (text, style) = (*random.pick(&texts), *random.pick(&styles));
                    buffer.set_stringn(x, y, text, usize::from(40 - x), style);
                }
            }
        }
    }

    /// A map beside a list is moved about: few bytes say so, and the screen is right.
    #[test]
    fn what_only_moved_is_moved_by_the_terminal() {
        // Of no size that a terminal has by default: the one beside it is not known to be so large.
        const SCREEN: Rect = Rect { x: 0, y: 0, width: 83, height: 27 };
        const MAP: Rect = Rect { x: 30, y: 3, width: 53, height: 20 };
        let (mut moved, mut whole) = (0, 0);
        for seed in 1..=60 {
            let mut random = Random::new(seed);
            let (mut here, mut there) = (vt100::Parser::new(27, 83, 0), vt100::Parser::new(27, 83, 0));
            let (line, other) = (Line::default(), Line::default());
            let mut frugal = Frugal::new(line.clone());
            (frugal.shown, frugal.sized) = (Buffer::empty(SCREEN), true);
            let mut plain = Frugal::new(other.clone());
            let dots: Vec<u32> = (0..200 * 200).map(|_| random.below(400) as u32).collect();
            let (mut at, mut before) = ((80i32, 80i32), Buffer::empty(SCREEN));
            for frame in 0..12 {
                let by = *random.pick(&[(8, 0), (-8, 0), (0, 4), (0, -4), (3, 1), (0, 0)]);
                at = ((at.0 + by.0).clamp(0, 149), (at.1 + by.1).clamp(0, 179));
                let mut next = Buffer::empty(before.area);
                for y in 0..20u16 {
                    next.set_string(0, y + 2, format!("> rep {y} of seed {seed}"), Style::new());
                }
                for (x, y) in (0..MAP.width).flat_map(|x| (0..MAP.height).map(move |y| (x, y))) {
                    let dots = dots[(at.1 as usize + usize::from(y)) * 200 + at.0 as usize + usize::from(x)];
                    let sign = char::from_u32(0x2800 + dots).filter(|_| dots > 0 && dots < 256);
                    let style =
                        if dots.is_multiple_of(5) { Style::new().fg(Color::Red) } else { Style::new() };
                    next.set_string(MAP.x + x, MAP.y + y, sign.unwrap_or(' ').to_string(), style);
                }
                next.set_string(MAP.x, MAP.bottom(), format!("frame {frame}, {at:?}"), Style::new());
                let diff = before.diff(&next);
                frugal.draw(diff.iter().map(|(x, y, c)| (*x, *y, *c))).unwrap();
                plain.draw(diff.iter().map(|(x, y, c)| (*x, *y, *c))).unwrap();
                let (short, long) = (line.take(), other.take());
                if frame > 0 {
                    (moved, whole) = (moved + short.len(), whole + long.len());
                }
                here.process(&short);
                there.process(&long);
                let ink = |s: &vt100::Screen, x, y| {
                    let cell = s.cell(y, x).map(|c| (c.contents().trim().to_owned(), c.fgcolor()));
                    // The colour of nothing is no matter.
                    cell.filter(|(text, _)| !text.is_empty())
                };
                for (x, y) in (0..83).flat_map(|x| (0..27).map(move |y| (x, y))) {
                    let (is, wanted) = (ink(here.screen(), x, y), ink(there.screen(), x, y));
                    assert_eq!(is, wanted, "seed {seed}, frame {frame}, {x},{y}");
                }
                before = next;
            }
        }
        println!("{moved} bytes, {whole} where nothing is moved");
        assert!(moved * 2 < whole, "{moved} of {whole}");
    }

    /// Whatever is drawn, the terminal shows it, cell by cell and style by style.
    #[test]
    fn the_terminal_shows_what_was_drawn() {
        let (mut frugal_bytes, mut plain_bytes) = (0, 0);
        for seed in 1..=300 {
            let mut random = Random::new(seed);
            let mut terminal = vt100::Parser::new(SIZE.height, SIZE.width, 0);
            let mut reference = vt100::Parser::new(SIZE.height, SIZE.width, 0);
            let (frugal_line, plain_line) = (Line::default(), Line::default());
            let mut frugal = Frugal::new(frugal_line.clone());
            // Every other screen is known by what is drawn on it alone.
            if seed % 2 == 0 {
                (frugal.shown, frugal.sized) = (Buffer::empty(SIZE), true);
            }
            let mut plain = CrosstermBackend::new(plain_line.clone());
            let mut before = Buffer::empty(SIZE);
            for frame in 0..10 {
                let mut next = before.clone();
                paint(&mut random, &mut next);
                let diff = before.diff(&next);
                frugal.draw(diff.iter().map(|(x, y, c)| (*x, *y, *c))).unwrap();
                plain.draw(diff.iter().map(|(x, y, c)| (*x, *y, *c))).unwrap();
                for (bytes, count, parser) in [
                    (frugal_line.take(), &mut frugal_bytes, &mut terminal),
                    (plain_line.take(), &mut plain_bytes, &mut reference),
                ] {
                    *count += bytes.len();
                    parser.process(&bytes);
                }
                let (shown, wanted) = (terminal.screen(), reference.screen());
                for (y, x) in (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (y, x))) {
                    let style = |screen: &vt100::Screen| {
                        let cell = screen.cell(y, x).unwrap();
                        let text = cell.contents().trim().to_owned();
                        // The colour of nothing is no matter.
                        let ink = (!text.is_empty()).then(|| (cell.fgcolor(), cell.bold()));
                        (text, ink, cell.is_wide(), cell.inverse(), cell.underline(), cell.bgcolor())
                    };
                    // What ratatui's own way leaves of a wide character's second half may
                    // be cleared here: then it is as the buffer has it.
                    let cleared = (String::new(), None, false, false, false, vt100::Color::Default);
                    let is = style(shown);
                    let right = is == style(wanted) || (is == cleared && is_blank(&next[(x, y)]));
                    assert!(right, "seed {seed}, frame {frame}, {x},{y}: {is:?}");
                }
                before = next;
            }
        }
        println!("{frugal_bytes} bytes, {plain_bytes} without");
        assert!(frugal_bytes * 10 < plain_bytes * 8, "{frugal_bytes} of {plain_bytes}");
    }
}
