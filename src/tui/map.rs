//! A map of points in braille: eight dots a cell, each group of points in its own style.

use crate::tui::widgets::{DrawCx, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Styles of groups that differ; more groups take them in turn.
const STYLES: usize = 6;
/// First braille pattern (Unicode block 2800), and the bit of each dot by row and column.
const BRAILLE: u32 = 0x2800;
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Points in millionths of a degree, and the group of each.
pub struct Map<'a> {
    pub points: &'a [(i32, i32)],
    pub groups: &'a [u16],
    /// Names of groups, put where their middle is.
    pub labels: &'a [String],
}

impl Map<'_> {
    /// Draws all of it into the area, north up; returns the kilometres a cell is wide.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, cx: &DrawCx) -> f64 {
        let (wide, high) = (usize::from(area.width), usize::from(area.height));
        if wide == 0 || high == 0 || self.points.is_empty() {
            return 0.0;
        }
        let (south, north) = middle_span(self.points.iter().map(|p| p.0));
        let (west, east) = middle_span(self.points.iter().map(|p| p.1));
        // A degree of longitude is as long as it is in the middle of the map.
        let shrink = ((south + north) / 2e6).to_radians().cos().max(0.01);
        let span = |from: f64, to: f64| (to - from).max(100.0);
        let (dots_x, dots_y) = ((wide * 2) as f64, (high * 4) as f64);
        let per_dot = (span(west, east) * shrink / dots_x).max(span(south, north) / dots_y) * 1.02;
        let (mid_x, mid_y) = ((west + east) / 2.0, (south + north) / 2.0);
        let place = |lat: f64, lon: f64| {
            let x = (lon - mid_x) * shrink / per_dot + dots_x / 2.0;
            let y = (mid_y - lat) / per_dot + dots_y / 2.0;
            ((x as usize).min(wide * 2 - 1), (y as usize).min(high * 4 - 1))
        };
        let mut cells = vec![(0u32, 0u16); wide * high];
        let mut middles = vec![(0.0, 0.0, 0u32); self.labels.len()];
        for (n, (lat, lon)) in self.points.iter().enumerate() {
            if !(south..=north).contains(&f64::from(*lat)) || !(west..=east).contains(&f64::from(*lon)) {
                continue;
            }
            let (x, y) = place(f64::from(*lat), f64::from(*lon));
            let group = self.groups.get(n).copied().unwrap_or(0);
            let cell = &mut cells[y / 4 * wide + x / 2];
            *cell = (cell.0 | DOTS[y % 4][x % 2], group);
            if let Some(middle) = middles.get_mut(usize::from(group)) {
                *middle = (middle.0 + f64::from(*lat), middle.1 + f64::from(*lon), middle.2 + 1);
            }
        }
        for (n, (dots, group)) in cells.iter().enumerate().filter(|(_, (dots, _))| *dots != 0) {
            let sign = match cx.ascii {
                true => {
                    if dots.count_ones() > 3 {
                        ":".to_owned()
                    } else {
                        ".".to_owned()
                    }
                }
                false => char::from_u32(BRAILLE + dots).map(String::from).unwrap_or_default(),
            };
            let style = cx.style(&format!("map.route.{}", usize::from(*group) % STYLES + 1));
            put(buf, area, (n % wide) as u16, (n / wide) as u16, &sign, style);
        }
        for (label, (lat, lon, count)) in self.labels.iter().zip(&middles).filter(|(_, m)| m.2 > 0) {
            let (x, y) = place(lat / f64::from(*count), lon / f64::from(*count));
            let at = (x / 2).min(wide.saturating_sub(label.len()));
            put(buf, area, at as u16, (y / 4) as u16, label, cx.style("text.title"));
        }
        // A cell is two dots wide; a degree of latitude is 111.2 km.
        2.0 * per_dot * 111.2 / 1e6
    }
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
    use crate::tui::theme::Theme;

    #[test]
    fn points_stand_where_they_are_and_labels_in_their_middle() {
        let theme = Theme::default();
        let cx = DrawCx { theme: &theme, ascii: false, aloud: false };
        let area = Rect::new(0, 0, 20, 10);
        let mut buf = Buffer::empty(area);
        let points = [(50_000_000, 10_000_000), (50_000_000, 10_100_000), (50_100_000, 10_000_000)];
        let map = Map { points: &points, groups: &[0, 0, 1], labels: &["1".into(), "2".into()] };
        assert!(map.draw(area, &mut buf, &cx) > 0.0);
        let row = |y: u16| (0..20).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
        let north = (0..10).find(|y| row(*y).contains('2')).unwrap();
        let south = (0..10).find(|y| row(*y).contains('1')).unwrap();
        assert!(north < south, "north is up");
        assert_eq!(Map { points: &[], groups: &[], labels: &[] }.draw(area, &mut buf, &cx), 0.0);
    }
}
