//! A map of points in braille: eight dots a cell, each group of points in its own style;
//! lines between them, outlines around them, counts where they stand close.

use crate::tui::widgets::{DrawCx, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Styles of groups that differ; more groups take them in turn.
const STYLES: usize = 6;
/// First braille pattern (Unicode block 2800), and the bit of each dot by row and column.
const BRAILLE: u32 = 0x2800;
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// The dots in the upper half of a cell.
const UPPER: u32 = DOTS[0][0] | DOTS[0][1] | DOTS[1][0] | DOTS[1][1];
/// Cells of a cluster across and down.
const CLUSTER: (usize, usize) = (8, 3);
/// Zooms in and out of what shows everything.
const ZOOMS: std::ops::RangeInclusive<i32> = -2..=14;
/// Kilometres of a degree of latitude.
const DEGREE_KM: f64 = 111.2;
/// The group of points that belong to nobody.
pub const NOBODY: u16 = u16::MAX;

/// Which part of the world is in sight: its middle in millionths of a degree, and how many
/// of them of latitude a dot is high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    lat: f64,
    lon: f64,
    /// How long a degree of longitude is beside one of latitude. It stays while the frame is
    /// moved, so that every dot moves by the same and a terminal can move them itself.
    shrink: f64,
    per_dot: f64,
    pub zoom: i32,
}

impl Frame {
    /// All of the points, but for a few that stand far outside.
    pub fn around(points: &[(i32, i32)], area: Rect) -> Frame {
        if points.is_empty() {
            return Frame { lat: 0.0, lon: 0.0, shrink: 1.0, per_dot: 1_000.0, zoom: 0 };
        }
        let (south, north) = middle_span(points.iter().map(|p| p.0));
        let (west, east) = middle_span(points.iter().map(|p| p.1));
        let shrink = shrink((south + north) / 2.0);
        let span = |from: f64, to: f64| (to - from).max(100.0);
        let (dots_x, dots_y) = (f64::from(area.width.max(1)) * 2.0, f64::from(area.height.max(1)) * 4.0);
        let per_dot = (span(west, east) * shrink / dots_x).max(span(south, north) / dots_y) * 1.02;
        Frame { lat: (south + north) / 2.0, lon: (west + east) / 2.0, shrink, per_dot, zoom: 0 }
    }

    pub fn zoomed(self, by: i32) -> Frame {
        let zoom = (self.zoom + by).clamp(*ZOOMS.start(), *ZOOMS.end());
        let factor = 1.5f64.powi(self.zoom - zoom);
        Frame { per_dot: self.per_dot * factor, shrink: shrink(self.lat), zoom, ..self }
    }

    /// Moves by so many cells to the east and to the south.
    pub fn panned(self, east: f64, south: f64) -> Frame {
        let lat = (self.lat - south * 4.0 * self.per_dot).clamp(-89e6, 89e6);
        let lon = self.lon + east * 2.0 * self.per_dot / self.shrink;
        Frame { lat, lon, ..self }
    }

    /// The same scale around another place.
    pub fn at(self, (lat, lon): (i32, i32)) -> Frame {
        Frame { lat: f64::from(lat), lon: f64::from(lon), shrink: shrink(f64::from(lat)), ..self }
    }

    /// How wide a cell is; as far as a cell is high is twice that.
    pub fn cell_km(&self) -> f64 {
        2.0 * self.per_dot * DEGREE_KM / 1e6
    }

    /// The dot of a place, which may lie outside.
    fn dot(&self, area: Rect, (lat, lon): (i32, i32)) -> (f64, f64) {
        let x = (f64::from(lon) - self.lon) * self.shrink / self.per_dot + f64::from(area.width);
        let y = (self.lat - f64::from(lat)) / self.per_dot + f64::from(area.height) * 2.0;
        (x, y)
    }

    /// The point nearest to the middle of what is in sight.
    pub fn nearest(&self, points: impl Iterator<Item = (usize, (i32, i32))>) -> Option<usize> {
        let far = |(lat, lon): (i32, i32)| {
            let (y, x) = (f64::from(lat) - self.lat, (f64::from(lon) - self.lon) * self.shrink);
            x * x + y * y
        };
        points.min_by(|a, b| far(a.1).total_cmp(&far(b.1))).map(|(n, _)| n)
    }
}

/// How long a degree of longitude is at a latitude, beside one of latitude.
fn shrink(lat: f64) -> f64 {
    (lat / 1e6).to_radians().cos().max(0.01)
}

/// Points in millionths of a degree, and the group of each.
#[derive(Default)]
pub struct Map<'a> {
    pub points: &'a [(i32, i32)],
    pub groups: &'a [u16],
    /// Names of groups, put where their middle is.
    pub labels: &'a [String],
    /// All of the points where nothing else is said.
    pub frame: Option<Frame>,
    /// Groups that stand out; all where none is named.
    pub chosen: Option<u16>,
    /// Lines from place to place, of a group each.
    pub lines: &'a [(u16, Vec<(i32, i32)>)],
    /// Signs at places, drawn last.
    pub signs: &'a [(String, (i32, i32))],
    /// Counts instead of dots.
    pub clusters: bool,
    /// Half blocks: two dots a cell, each in the style of its own group, for fonts without
    /// braille and for areas that lie close.
    pub blocks: bool,
}

/// What was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    pub km: f64,
    /// Points in sight and outside: together all of them.
    pub inside: usize,
    pub outside: usize,
}

/// The dots of a cell and whose they are: in its upper half, in its lower, the last one.
#[derive(Clone, Copy, Default)]
struct Inked {
    dots: u32,
    halves: [u16; 2],
    last: u16,
}

struct Canvas {
    wide: usize,
    high: usize,
    cells: Vec<Inked>,
}

impl Canvas {
    fn dot(&mut self, x: f64, y: f64, group: u16) -> bool {
        if x < 0.0 || y < 0.0 {
            return false;
        }
        let (x, y) = (x as usize, y as usize);
        if x >= self.wide * 2 || y >= self.high * 4 {
            return false;
        }
        let cell = &mut self.cells[y / 4 * self.wide + x / 2];
        cell.dots |= DOTS[y % 4][x % 2];
        cell.halves[y % 4 / 2] = group;
        cell.last = group;
        true
    }

    /// A straight line, a dot a step; only what is in sight is walked.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), group: u16) {
        let (w, h) = ((self.wide * 2) as f64, (self.high * 4) as f64);
        let Some((from, to)) = clipped(from, to, w, h) else { return };
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0);
        for n in 0..=steps as usize {
            let share = n as f64 / steps;
            self.dot(from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share, group);
        }
    }
}

type Dot = (f64, f64);

/// The part of a line inside the canvas (Liang and Barsky, 1984).
fn clipped(a: Dot, b: Dot, w: f64, h: f64) -> Option<(Dot, Dot)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, a.0), (dx, w - 1.0 - a.0), (-dy, a.1), (dy, h - 1.0 - a.1)] {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            from = from.max(q / p);
        } else {
            to = to.min(q / p);
        }
    }
    (from <= to).then_some(((a.0 + dx * from, a.1 + dy * from), (a.0 + dx * to, a.1 + dy * to)))
}

impl Map<'_> {
    /// Draws what is in sight into the area, north up.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) -> Drawn {
        let (wide, high) = (usize::from(area.width), usize::from(area.height));
        if wide == 0 || high == 0 || self.points.is_empty() && self.frame.is_none() {
            return Drawn { outside: self.points.len(), ..Drawn::default() };
        }
        let frame = self.frame.unwrap_or_else(|| Frame::around(self.points, area));
        let mut canvas = Canvas { wide, high, cells: vec![Inked::default(); wide * high] };
        let mut drawn = Drawn { km: frame.cell_km(), ..Drawn::default() };
        let across = wide.div_ceil(CLUSTER.0);
        let mut clusters = vec![0u32; across * high.div_ceil(CLUSTER.1)];
        let mut middles = vec![(0.0, 0.0, 0u32); self.labels.len()];
        // Who stands out is drawn over the others.
        for out in [false, true] {
            for (n, point) in self.points.iter().enumerate() {
                let group = self.groups.get(n).copied().unwrap_or(0);
                if self.chosen.is_none_or(|chosen| chosen == group) != out {
                    continue;
                }
                let (x, y) = frame.dot(area, *point);
                let cell = || (x as usize / 2, y as usize / 4);
                let inside = match self.clusters {
                    true => x >= 0.0 && y >= 0.0 && cell().0 < wide && cell().1 < high,
                    false => canvas.dot(x, y, group),
                };
                drawn.inside += usize::from(inside);
                drawn.outside += usize::from(!inside);
                if inside && self.clusters {
                    clusters[cell().1 / CLUSTER.1 * across + cell().0 / CLUSTER.0] += 1;
                }
                if let Some(middle) = middles.get_mut(usize::from(group)).filter(|_| inside) {
                    *middle = (middle.0 + x, middle.1 + y, middle.2 + 1);
                }
            }
        }
        for (group, line) in self.lines {
            let dots: Vec<Dot> = line.iter().map(|p| frame.dot(area, *p)).collect();
            dots.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], *group));
        }
        for (n, cell) in canvas.cells.iter().enumerate().filter(|(_, cell)| cell.dots != 0) {
            let (sign, style) = self.sign(cell, cx);
            put(buf, area, (n % wide) as u16, (n / wide) as u16, &sign, style);
        }
        for (n, count) in clusters.iter().enumerate().filter(|(_, count)| **count > 0) {
            let text = count.to_string();
            let x = (n % across * CLUSTER.0 + CLUSTER.0 / 2).saturating_sub(text.len() / 2);
            let y = (n / across * CLUSTER.1 + CLUSTER.1 / 2).min(high - 1);
            put(buf, area, x.min(wide.saturating_sub(text.len())) as u16, y as u16, &text, cx.style("text"));
        }
        // A name that would stand on another one is left out.
        let mut named: Vec<(usize, usize, usize)> = Vec::new();
        for (label, (x, y, count)) in self.labels.iter().zip(&middles).filter(|(_, m)| m.2 > 0) {
            let at = ((x / f64::from(*count)) as usize / 2).min(wide.saturating_sub(label.len()));
            let y = ((y / f64::from(*count)) as usize / 4).min(high - 1);
            let apart =
                |(row, from, to): &(usize, usize, usize)| *row != y || at + label.len() < *from || at > *to;
            if named.iter().all(apart) {
                named.push((y, at, at + label.len()));
                put(buf, area, at as u16, y as u16, label, cx.style("text.title"));
            }
        }
        for (sign, place) in self.signs {
            let (x, y) = frame.dot(area, *place);
            let (x, y) = (x / 2.0, y / 4.0);
            if x >= 0.0 && y >= 0.0 && (x as usize) < wide && (y as usize) < high {
                let at = (x as usize).min(wide.saturating_sub(sign.chars().count()));
                put(buf, area, at as u16, y as u16, sign, cx.style("text.title"));
            }
        }
        drawn
    }

    fn style(&self, group: u16, cx: &DrawCx) -> Style {
        match group {
            NOBODY => cx.style("text"),
            other if self.chosen.is_some_and(|chosen| chosen != other) => cx.style("text.muted"),
            group => cx.style(&format!("map.route.{}", usize::from(group) % STYLES + 1)),
        }
    }

    /// What stands for the dots of a cell.
    fn sign(&self, cell: &Inked, cx: &DrawCx) -> (String, Style) {
        let style = self.style(cell.last, cx);
        if cx.ascii {
            return (if cell.dots.count_ones() > 3 { ":" } else { "." }.to_owned(), style);
        }
        if !self.blocks {
            return (char::from_u32(BRAILLE + cell.dots).map(String::from).unwrap_or_default(), style);
        }
        let [upper, lower] = cell.halves.map(|group| self.style(group, cx));
        match (cell.dots & UPPER != 0, cell.dots & !UPPER != 0) {
            (true, false) => ("▀".to_owned(), upper),
            (false, _) => ("▄".to_owned(), lower),
            // Two colours in a cell: the lower one lies behind.
            _ if upper != lower && lower.fg.is_some() => ("▀".to_owned(), Style { bg: lower.fg, ..upper }),
            _ => ("█".to_owned(), upper),
        }
    }
}

/// The convex hull of points, closed (Andrew's monotone chain, 1979).
pub fn hull(points: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let turn = |a: (i32, i32), b: (i32, i32), c: (i32, i32)| {
        let (ax, ay) = (i64::from(b.0) - i64::from(a.0), i64::from(b.1) - i64::from(a.1));
        let (bx, by) = (i64::from(c.0) - i64::from(a.0), i64::from(c.1) - i64::from(a.1));
        i128::from(ax) * i128::from(by) - i128::from(ay) * i128::from(bx)
    };
    let half = |points: &mut dyn Iterator<Item = (i32, i32)>| {
        let mut chain: Vec<(i32, i32)> = Vec::new();
        for p in points {
            while chain.len() >= 2 && turn(chain[chain.len() - 2], chain[chain.len() - 1], p) <= 0 {
                chain.pop();
            }
            chain.push(p);
        }
        chain
    };
    let mut lower = half(&mut sorted.iter().copied());
    let upper = half(&mut sorted.iter().rev().copied());
    lower.pop();
    lower.extend(upper);
    lower
}

/// Where nearly all of them are: a few wrong positions must not make the map of a town one
/// of the world.
fn middle_span(values: impl Iterator<Item = i32>) -> (f64, f64) {
    let mut values: Vec<i32> = values.collect();
    values.sort_unstable();
    let at = |share: f64| f64::from(values[((values.len() - 1) as f64 * share).round() as usize]);
    let (low, high) = (at(0.02), at(0.98));
    // What lies just outside belongs to it.
    let margin = (high - low).max(1_000.0) * 0.5;
    (at(0.0).max(low - margin), at(1.0).min(high + margin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tui::theme::Theme;

    fn rows(buf: &Buffer, wide: u16, high: u16) -> Vec<String> {
        (0..high).map(|y| (0..wide).map(|x| buf[(x, y)].symbol().to_owned()).collect()).collect()
    }

    #[test]
    fn points_stand_where_they_are_and_labels_in_their_middle() {
        let theme = Theme::default();
        let cx = DrawCx { theme: &theme, ascii: false, aloud: false };
        let area = Rect::new(0, 0, 20, 10);
        let mut buf = Buffer::empty(area);
        let points = [(50_000_000, 10_000_000), (50_000_000, 10_100_000), (50_100_000, 10_000_000)];
        let labels = ["1".to_owned(), "2".to_owned()];
        let map = Map { points: &points, groups: &[0, 0, 1], labels: &labels, ..Map::default() };
        assert!(map.draw(area, &mut buf, &cx).km > 0.0);
        let rows = rows(&buf, 20, 10);
        let at = |sign: char| rows.iter().position(|r| r.contains(sign)).unwrap();
        assert!(at('2') < at('1'), "north is up");
        assert_eq!(Map::default().draw(area, &mut buf, &cx), Drawn::default());
    }

    #[test]
    fn half_blocks_show_two_groups_in_a_cell() {
        let theme = Theme::load("dark", None, crate::tui::theme::Depth::True).unwrap();
        let cx = DrawCx { theme: &theme, ascii: false, aloud: false };
        let area = Rect::new(0, 0, 1, 1);
        let frame = Frame { lat: 0.0, lon: 0.0, shrink: 1.0, per_dot: 1.0, zoom: 0 };
        let drawn = |points: &[(i32, i32)], groups: &[u16], chosen: Option<u16>| {
            let mut buf = Buffer::empty(area);
            let frame = Some(frame);
            Map { points, groups, frame, chosen, blocks: true, ..Map::default() }.draw(area, &mut buf, &cx);
            buf[(0, 0)].clone()
        };
        let (high, low) = ((1, 0), (-1, 0));
        assert_eq!(drawn(&[high], &[0], None).symbol(), "▀");
        assert_eq!(drawn(&[low], &[0], None).symbol(), "▄");
        assert_eq!(drawn(&[high, low], &[0, 0], None).symbol(), "█");
        let both = drawn(&[high, low], &[0, 1], None);
        assert_eq!((both.symbol(), both.fg), ("▀", drawn(&[high], &[0], None).fg));
        assert_eq!(both.bg, drawn(&[low], &[1], None).fg);
        let one = drawn(&[high, low], &[0, 1], Some(1));
        assert_eq!(one.fg, cx.style("text.muted").fg.unwrap_or_default(), "who is not chosen stands back");
    }

    #[test]
    fn counts_and_points_outside_are_all_points_at_any_zoom() {
        let theme = Theme::default();
        let cx = DrawCx { theme: &theme, ascii: true, aloud: false };
        let mut random = Random::new(3);
        let mut number = |most: usize| random.below(most) as i32;
        let points: Vec<(i32, i32)> =
            (0..500).map(|_| (47_000_000 + number(900_000), 9_000_000 + number(900_000))).collect();
        let area = Rect::new(0, 0, 60, 20);
        let mut frame = Frame::around(&points, area);
        for step in 0..40 {
            let mut buf = Buffer::empty(area);
            let map = Map { points: &points, frame: Some(frame), clusters: true, ..Map::default() };
            let drawn = map.draw(area, &mut buf, &cx);
            assert_eq!(drawn.inside + drawn.outside, points.len());
            let shown: usize = rows(&buf, 60, 20)
                .iter()
                .flat_map(|r| r.split(|c: char| !c.is_ascii_digit()).map(str::to_owned).collect::<Vec<_>>())
                .filter_map(|n| n.parse::<usize>().ok())
                .sum();
            assert_eq!(shown, drawn.inside, "step {step}");
            frame = frame.zoomed(if step % 3 == 0 { 2 } else { -1 }).panned(f64::from(step % 5), -1.0);
        }
    }

    #[test]
    fn a_hull_contains_its_points_and_lines_stay_inside() {
        let mut random = Random::new(5);
        for count in [3, 10, 300] {
            let mut number = || random.below(1_000) as i32;
            let points: Vec<(i32, i32)> = (0..count).map(|_| (number(), number())).collect();
            let around = hull(&points);
            assert_eq!(around.first(), around.last());
            for p in &points {
                for pair in around.windows(2) {
                    let (a, b) = (pair[0], pair[1]);
                    let left = i64::from(b.0 - a.0) * i64::from(p.1 - a.1)
                        - i64::from(b.1 - a.1) * i64::from(p.0 - a.0);
                    assert!(left >= 0, "{p:?} is outside {a:?} {b:?}");
                }
            }
        }
        let (a, b) = clipped((-50.0, 5.0), (500.0, 5.0), 40.0, 20.0).unwrap();
        assert!(a.0 >= 0.0 && b.0 <= 39.0);
        assert_eq!(clipped((-50.0, -5.0), (-1.0, 30.0), 40.0, 20.0), None);
    }
}
