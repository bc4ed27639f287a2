//! The lines across the charts over time: what was done to the target and what came of it, each with its text on top.
//!
//! Texts stand in a row, or in a second one above it where the first is too crowded: a command, what it did and the
//! command that undid it come within seconds of each other in runs of minutes. A text that finds no place is left to
//! the tip of its line, rather than written over another.

use super::chart::{CHARACTER_WIDTH, Room};
use crate::report::figures::shortened;
use crate::report::svg::markup::{At, Markup};
use crate::report::svg::scale::Scale;
use crate::report::words;
use crate::summary::Summary;

/// How much higher the second row stands.
const ROW_HEIGHT: f64 = 14.0;
/// Lines closer than this are seen as one.
const SAME_LINE: f64 = 4.0;
/// From a line to its text.
const TEXT_AFTER: f64 = 8.0;
/// So much is free of text around a line that crosses a row.
const AROUND_LINE: f64 = 6.0;
/// A few characters of a command say nothing.
const SHORTEST_TEXT: usize = 10;

/// Everything that is marked in a chart over time.
#[derive(Debug)]
pub(super) struct Flags {
    /// From left to right.
    flags: Vec<(Flag, Option<Place>)>,
}

/// One line with what it stands for.
#[derive(Debug)]
struct Flag {
    x: f64,
    class: &'static str,
    text: String,
    title: String,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// In the row above the usual one.
    is_upper: bool,
    is_right: bool,
    /// As many characters have room.
    characters: usize,
}

impl Flags {
    /// Those of a run, for a chart in this room.
    pub(super) fn new(summary: &Summary, room: &Room, end_ms: f64) -> Self {
        let flags = flags(summary, room.time(end_ms));
        let places = places(&flags, room.left(), room.width());
        Self { flags: flags.into_iter().zip(places).collect() }
    }

    /// What the second row takes above the drawing; nothing when nobody stands there.
    pub(super) fn more_above(&self) -> f64 {
        let is_used = self.flags.iter().any(|(_, place)| place.is_some_and(|place| place.is_upper));
        if is_used { ROW_HEIGHT } else { 0.0 }
    }

    /// Draws them from top to bottom, above what is drawn.
    pub(super) fn draw(&self, out: &mut Markup, room: &Room) {
        for (flag, place) in &self.flags {
            flag.draw(out, room, *place);
        }
    }
}

fn flags(summary: &Summary, time: Scale) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    for mark in summary.timeline.iter().flat_map(|timeline| &timeline.marks) {
        let title = format!("{:.2} s: {}: {}", mark.at_ms / 1e3, mark.command, words::mark(mark));
        flags.push(Flag { x: time.at(mark.at_ms), class: "mark", text: mark.command.clone(), title });
    }
    for failover in &summary.failovers {
        let backend = &failover.backend;
        let at = |ms: f64| format!("{:.2} s", ms / 1e3);
        flags.push(Flag {
            x: time.at(failover.at_ms),
            class: "lost",
            text: format!("{backend} lost"),
            title: format!("{}: {failover}", at(failover.at_ms)),
        });
        if let Some(after_ms) = failover.back_after_ms {
            let back_ms = failover.at_ms + after_ms;
            flags.push(Flag {
                x: time.at(back_ms),
                class: "back",
                text: format!("{backend} back"),
                title: format!("{}: {backend} answered again", at(back_ms)),
            });
        }
    }
    flags.sort_by(|left, right| left.x.total_cmp(&right.x));
    flags
}

/// Where the texts stand between `left` and `width`, in the order of the flags. In full where that is possible: right
/// of the line before the next one, else left of it, else likewise in the upper row, which lines cross only below
/// their own texts. Else shortened, else not at all.
fn places(flags: &[Flag], left: f64, width: f64) -> Vec<Option<Place>> {
    // Where the texts before end, in the usual row and in the upper one.
    let mut free_from = [left; 2];
    let place_of = |(index, flag): (usize, &Flag)| {
        // The command that was run says more than what it did a moment later.
        let is_near = |other: &Flag| (other.x - flag.x).abs() < SAME_LINE;
        let is_repeated =
            flag.class == "lost" && flags.iter().any(|other| other.class == "mark" && is_near(other));
        let next_x =
            flags[index + 1..].iter().map(|next| next.x).find(|x| *x - flag.x >= SAME_LINE).unwrap_or(width);
        let place = if is_repeated { None } else { place(flag, free_from, next_x, width) };
        // The line ends in the row of its text.
        let is_upper = place.is_some_and(|place| place.is_upper);
        free_from[0] = free_from[0].max(flag.x + AROUND_LINE);
        if is_upper {
            free_from[1] = free_from[1].max(flag.x + AROUND_LINE);
        }
        if let Some(Place { is_right: true, characters, .. }) = place {
            let shown = flag.text.chars().count().min(characters);
            free_from[usize::from(is_upper)] = flag.x + TEXT_AFTER + shown as f64 * CHARACTER_WIDTH;
        }
        place
    };
    flags.iter().enumerate().map(place_of).collect()
}

fn place(flag: &Flag, free_from: [f64; 2], next_x: f64, width: f64) -> Option<Place> {
    let fits = |space: f64| (space / CHARACTER_WIDTH).max(0.0) as usize;
    let right = |end: f64| fits(end - flag.x - TEXT_AFTER - SAME_LINE);
    let left = |row: usize| fits(flag.x - TEXT_AFTER - free_from[row]);
    // Of two on the same line, the first may have its text there.
    let is_free = |row: usize| flag.x + TEXT_AFTER >= free_from[row];
    let places = [
        (false, true, if is_free(0) { right(next_x) } else { 0 }),
        (false, false, left(0)),
        (true, true, if is_free(1) { right(width) } else { 0 }),
        (true, false, left(1)),
    ]
    .map(|(is_upper, is_right, characters)| Place { is_upper, is_right, characters });
    let length = flag.text.chars().count();
    let first = |least: usize| places.into_iter().find(|place| place.characters >= least);
    first(length).or_else(|| first(length.min(SHORTEST_TEXT)))
}

impl Flag {
    fn draw(&self, out: &mut Markup, room: &Room, place: Option<Place>) {
        let is_upper = place.is_some_and(|place| place.is_upper);
        let top = room.top() - if is_upper { ROW_HEIGHT } else { 0.0 };
        let class = format!("flag {}", self.class);
        out.element("g", &[("class", &class)], |flag| {
            flag.text_element("title", &[], &self.title);
            let x = At(self.x);
            flag.empty("line", &[("x1", &x), ("x2", &x), ("y1", &At(top - 6.0)), ("y2", &At(room.bottom()))]);
            flag.empty("circle", &[("cx", &x), ("cy", &At(top - 8.0)), ("r", &"3")]);
            if let Some(Place { is_right, characters, .. }) = place {
                let (class, x) =
                    if is_right { ("start", self.x + TEXT_AFTER) } else { ("end", self.x - TEXT_AFTER) };
                let text = shortened(&self.text, characters);
                flag.text_element("text", &[("class", &class), ("x", &At(x)), ("y", &At(top - 4.0))], text);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILL: &str = "docker kill 8ffb1a464338";
    const START: &str = "docker start 8ffb1a464338";
    const LOST: &str = "8ffb1a464338 lost";
    const BACK: &str = "8ffb1a464338 back";

    fn placed(flags: &[(f64, &'static str, &str)], left: f64, width: f64) -> Vec<&'static str> {
        let flags: Vec<_> = flags
            .iter()
            .map(|(x, class, text)| Flag { x: *x, class, text: (*text).to_owned(), title: String::new() })
            .collect();
        let word = |(flag, place): (&Flag, Option<Place>)| match place {
            None => "none",
            Some(place) if place.characters < flag.text.chars().count() => "shortened",
            Some(Place { is_upper: false, is_right: true, .. }) => "right",
            Some(Place { is_upper: false, is_right: false, .. }) => "left",
            Some(Place { is_upper: true, is_right: true, .. }) => "upper right",
            Some(Place { is_upper: true, is_right: false, .. }) => "upper left",
        };
        flags.iter().zip(places(&flags, left, width)).map(word).collect()
    }

    #[test]
    fn every_text_has_a_place_of_its_own() {
        type Row =
            (&'static str, &'static [(f64, &'static str, &'static str)], [f64; 2], &'static [&'static str]);
        let table: [Row; 6] = [
            ("alone", &[(300.0, "mark", KILL)], [56.0, 920.0], &["right"]),
            ("at the end", &[(850.0, "mark", KILL)], [56.0, 920.0], &["left"]),
            (
                // Killed at 4.00 s, lost at 4.08 s, started at 7 s and back at 7.9 s of 14 s.
                "one second from start to back",
                &[
                    (299.4, "mark", KILL),
                    (304.2, "lost", LOST),
                    (482.0, "mark", START),
                    (536.5, "back", BACK),
                ],
                [56.0, 920.0],
                &["left", "right", "upper right", "right"],
            ),
            (
                "the same on a phone",
                &[
                    (130.6, "mark", KILL),
                    (132.2, "lost", LOST),
                    (194.0, "mark", START),
                    (212.9, "back", BACK),
                ],
                [46.0, 350.0],
                &["upper right", "none", "none", "right"],
            ),
            (
                "lost is what kill did",
                &[(300.0, "mark", KILL), (302.0, "lost", LOST)],
                [56.0, 920.0],
                &["right", "none"],
            ),
            ("nowhere in full", &[(175.0, "mark", KILL)], [46.0, 320.0], &["shortened"]),
        ];
        for (name, flags, [left, width], expected) in table {
            assert_eq!(placed(flags, left, width), expected, "{name}");
        }
    }

    #[test]
    fn a_text_is_never_written_over_another() {
        // Crowds of three to twelve lines with a fixed stride, which meets every distance.
        for stride in 1..200_u32 {
            for count in 3..12_u32 {
                let flags: Vec<_> = (0..count)
                    .map(|index| 60.0 + f64::from(index * stride * 7 % 840))
                    .map(|x| Flag { x, class: "mark", text: KILL.to_owned(), title: String::new() })
                    .collect();
                let mut flags = flags;
                flags.sort_by(|left, right| left.x.total_cmp(&right.x));
                let places = places(&flags, 56.0, 920.0);
                for is_upper in [false, true] {
                    let spans = flags.iter().zip(&places).filter_map(|(flag, place)| {
                        let place = place.filter(|place| place.is_upper == is_upper)?;
                        let length = flag.text.chars().count().min(place.characters) as f64 * CHARACTER_WIDTH;
                        let start =
                            if place.is_right { flag.x + TEXT_AFTER } else { flag.x - TEXT_AFTER - length };
                        Some([start, start + length])
                    });
                    let mut spans: Vec<_> = spans.collect();
                    spans.sort_by(|left, right| left[0].total_cmp(&right[0]));
                    for pair in spans.windows(2) {
                        assert!(pair[0][1] <= pair[1][0], "{stride} {count}: {pair:?}");
                    }
                }
            }
        }
    }
}
