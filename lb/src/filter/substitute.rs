//! `sub_filter`: texts that are replaced while the body passes.
//!
//! nginx's rule: of several texts the one that begins first is replaced, and of those that begin at the same place the one
//! that the configuration names first; upper and lower case of ASCII are the same. A match may lie across pieces. What is
//! held back is the longest end of a piece with which one of the texts begins, and so less than the longest text: an end
//! that cannot become a match any more leaves with its piece.
//!
//! The search is that of the aho-corasick crate: all texts at once, in time that grows with the body alone.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use bytes::Bytes;

use super::{BodyFilter, FilterError, Passed, Signal};

/// Texts to look for, ready for the search. Made once where no text has a variable.
#[derive(Debug, Clone)]
pub struct Needles {
    texts: Arc<[Box<[u8]>]>,
    search: AhoCorasick,
}

impl Needles {
    /// `None` where there is no text, or where they are too many or too long to be searched for.
    pub fn new(texts: impl IntoIterator<Item = Box<[u8]>>) -> Option<Self> {
        let texts: Arc<[Box<[u8]>]> = texts.into_iter().collect();
        let search = (!texts.is_empty()).then(|| build(texts.iter())).flatten()?;
        Some(Self { texts, search })
    }
}

fn build<'a>(texts: impl Iterator<Item = &'a Box<[u8]>>) -> Option<AhoCorasick> {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).ascii_case_insensitive(true).build(texts).ok()
}

/// Replaces texts in a body.
pub struct Substitute {
    /// The texts that are still looked for, in the configuration's order.
    active: Vec<Pair>,
    search: Option<AhoCorasick>,
    once: bool,
    /// The end of what has come so far that may be the beginning of a match.
    held: Vec<u8>,
}

struct Pair {
    text: Box<[u8]>,
    replacement: Bytes,
}

impl Substitute {
    /// Puts each of `replacements` in the place of the text of the same index, `once` or wherever it stands.
    pub fn new(needles: &Needles, replacements: impl IntoIterator<Item = Bytes>, once: bool) -> Self {
        let pairs = needles.texts.iter().zip(replacements);
        Self {
            active: pairs.map(|(text, replacement)| Pair { text: text.clone(), replacement }).collect(),
            search: Some(needles.search.clone()),
            once,
            held: Vec::new(),
        }
    }

    /// Where the end of `text` begins that may still become a match, and the first of the texts it may become.
    fn undecided(&self, text: &[u8]) -> Option<(usize, usize)> {
        let longest = self.active.iter().map(|pair| pair.text.len()).max()?;
        let from = text.len().saturating_sub(longest - 1);
        (from..text.len()).find_map(|start| {
            let end = &text[start..];
            let may_become =
                |pair: &Pair| pair.text.len() > end.len() && pair.text[..end.len()].eq_ignore_ascii_case(end);
            Some((start, self.active.iter().position(may_become)?))
        })
    }

    /// The first match in `text` from `at` on that more text cannot change; and where the undecided end begins otherwise.
    fn next(&self, text: &[u8], at: usize, is_end: bool) -> Next {
        let rest = &text[at..];
        let undecided = if is_end { None } else { self.undecided(rest) };
        let found = self.search.as_ref().and_then(|search| search.find(rest));
        let held = undecided.map_or(rest.len(), |(start, _)| start);
        match found {
            Some(found) => {
                let index = found.pattern().as_usize();
                let decided = undecided.is_none_or(|(start, first)| {
                    found.start() < start || (found.start() == start && index < first)
                });
                if decided {
                    return Next::Match { span: at + found.start()..at + found.end(), index };
                }
                Next::Nothing { held_from: at + held }
            }
            None => Next::Nothing { held_from: at + held },
        }
    }

    fn drop_text(&mut self, index: usize) {
        self.active.remove(index);
        self.search =
            if self.active.is_empty() { None } else { build(self.active.iter().map(|pair| &pair.text)) };
    }
}

enum Next {
    Match { span: Range<usize>, index: usize },
    Nothing { held_from: usize },
}

impl BodyFilter for Substitute {
    fn pass(&mut self, input: &mut Bytes, signal: Signal) -> Result<Passed, FilterError> {
        let piece = std::mem::take(input);
        let is_end = signal == Signal::End;
        let mut text = piece.clone();
        if !self.held.is_empty() {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(&piece);
            text = Bytes::from(joined);
        }
        let mut output = Vec::new();
        let mut at = 0;
        loop {
            if self.active.is_empty() {
                break;
            }
            match self.next(&text, at, is_end) {
                Next::Match { span, index } => {
                    output.extend_from_slice(&text[at..span.start]);
                    output.extend_from_slice(&self.active[index].replacement);
                    at = span.end;
                    if self.once {
                        self.drop_text(index);
                    }
                }
                Next::Nothing { held_from } => {
                    self.held.extend_from_slice(&text[held_from..]);
                    text.truncate(held_from);
                    break;
                }
            }
        }
        let bytes = match at {
            // Nothing was replaced, so nothing has to be copied.
            0 if output.is_empty() => text,
            _ => {
                output.extend_from_slice(&text[at..]);
                Bytes::from(output)
            }
        };
        Ok(Passed { bytes, more: false })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Piece, through};
    use super::*;

    fn filter(pairs: &[(&str, &str)], once: bool) -> Substitute {
        let needles = Needles::new(pairs.iter().map(|(text, _)| text.as_bytes().into())).unwrap();
        Substitute::new(&needles, pairs.iter().map(|(_, to)| Bytes::copy_from_slice(to.as_bytes())), once)
    }

    /// nginx's rule, written down without a search.
    fn slowly(pairs: &[(&str, &str)], once: bool, text: &str) -> String {
        let mut used = vec![false; pairs.len()];
        let (mut out, mut at) = (String::new(), 0);
        while at < text.len() {
            let rest = &text[at..];
            let begins = |(text, _): &(&str, &str)| {
                rest.len() >= text.len() && rest[..text.len()].eq_ignore_ascii_case(text)
            };
            match pairs.iter().enumerate().position(|(index, pair)| !(once && used[index]) && begins(pair)) {
                Some(index) => {
                    used[index] = true;
                    out += pairs[index].1;
                    at += pairs[index].0.len();
                }
                None => {
                    out += &rest[..1];
                    at += 1;
                }
            }
        }
        out
    }

    #[test]
    fn the_first_text_at_the_first_place_is_replaced() {
        for (pairs, once, text, expected) in [
            (&[("a", "1")][..], true, "banana", "b1nana"),
            (&[("a", "1")], false, "banAna", "b1n1n1"),
            (&[("abc", "1"), ("ab", "2")], false, "abcabx", "12x"),
            (&[("ab", "2"), ("abc", "1")], false, "abcabx", "2c2x"),
            (&[("bc", "2"), ("abcd", "1")], false, "abcd abc", "1 a2"),
            (&[("a", "1"), ("b", "2")], true, "abab", "12ab"),
            (&[("aab", "x")], false, "aaab", "ax"),
            (&[("</head>", "<x></HEAD>")], true, "<HEAD></Head>", "<HEAD><x></HEAD>"),
        ] {
            assert_eq!(slowly(pairs, once, text), expected, "the rule itself");
            for size in 1..=text.len() {
                let pieces: Vec<Piece> = text
                    .as_bytes()
                    .chunks(size)
                    .map(|piece| (Bytes::copy_from_slice(piece), Signal::Flush))
                    .chain([(Bytes::new(), Signal::End)])
                    .collect();
                assert_eq!(through(&mut filter(pairs, once), &pieces), expected, "{text} by {size}");
            }
        }
    }

    #[test]
    fn any_texts_in_any_split_follow_the_rule() {
        let mut random = fastrand::Rng::with_seed(3);
        for round in 0..3000 {
            let mut word = |most: usize| -> String {
                (0..random.usize(1..=most)).map(|_| char::from(b"abAB"[random.usize(..4)])).collect()
            };
            let texts: Vec<(String, String)> = (0..1 + round % 4).map(|_| (word(4), word(3))).collect();
            let pairs: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let text = word(60);
            let once = random.bool();
            let mut rest = Bytes::from(text.clone());
            let mut pieces = Vec::new();
            while !rest.is_empty() {
                let piece = rest.split_to(random.usize(1..=rest.len().min(9)));
                let last = rest.is_empty() && random.bool();
                let signal = [Signal::More, Signal::Flush][random.usize(..2)];
                pieces.push((piece, if last { Signal::End } else { signal }));
            }
            if pieces.last().is_some_and(|(_, signal)| *signal != Signal::End) {
                pieces.push((Bytes::new(), Signal::End));
            }
            let expected = slowly(&pairs, once, &text);
            assert_eq!(through(&mut filter(&pairs, once), &pieces), expected, "{pairs:?} {once} {pieces:?}");
        }
    }

    #[test]
    fn only_what_may_become_a_match_is_held_back() {
        let mut filter = filter(&[("</head>", "x")], true);
        let events = ["data: 1\n\n", "data: </he", "llo\n\n"];
        let passed = events.map(|event| through(&mut filter, &[(event.into(), Signal::Flush)]));
        assert_eq!(passed, ["data: 1\n\n", "data: ", "</hello\n\n"]);
    }

    #[test]
    fn a_piece_without_a_match_is_not_copied() {
        let mut input = Bytes::from_static(b"nothing here");
        let at = input.as_ptr();
        let passed = filter(&[("</head>", "x")], true).pass(&mut input, Signal::More).unwrap();
        assert_eq!(passed.bytes.as_ptr(), at);
    }
}
