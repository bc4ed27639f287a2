//! Paths: lines with holes, and areas between two flights of steps. Pure.

use std::fmt::Write as _;

use super::markup::At;

/// One step of an area: from one x to another, between two y.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Step {
    pub from_x: f64,
    pub to_x: f64,
    pub low_y: f64,
    pub high_y: f64,
}

/// The area of steps side by side, as a path. Steps that touch make one piece; a hole between two makes two.
pub fn area(steps: &[Step]) -> String {
    let mut path = String::new();
    for piece in steps.chunk_by(|left, right| (right.from_x - left.to_x).abs() < 0.05) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
        // Writing to a string cannot fail, here and below.
        let _ = write!(path, "M{} {}", At(first.from_x), At(first.high_y));
        for (index, step) in piece.iter().enumerate() {
            // A flight that goes on at the same height needs no corner.
            let next = piece.get(index + 1);
            if next.is_none_or(|next| At(next.high_y).to_string() != At(step.high_y).to_string()) {
                let _ = write!(path, "H{}", At(step.to_x));
                if let Some(next) = next {
                    let _ = write!(path, "V{}", At(next.high_y));
                }
            }
        }
        let _ = write!(path, "V{}", At(last.low_y));
        for (index, step) in piece.iter().enumerate().rev() {
            let before = index.checked_sub(1).and_then(|index| piece.get(index));
            if before.is_none_or(|before| At(before.low_y).to_string() != At(step.low_y).to_string()) {
                let _ = write!(path, "H{}", At(step.from_x));
                if let Some(before) = before {
                    let _ = write!(path, "V{}", At(before.low_y));
                }
            }
        }
        path.push('Z');
    }
    path
}

/// A line through points, broken where there is none. A point alone becomes a dash of no length, which a round line
/// cap shows as a dot.
pub fn line(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut pen_is_down = false;
    let mut is_alone = false;
    for point in points {
        let Some((x, y)) = point else {
            if is_alone {
                path.push_str("h0");
            }
            (pen_is_down, is_alone) = (false, false);
            continue;
        };
        let _ = write!(path, "{}{} {}", if pen_is_down { 'L' } else { 'M' }, At(x), At(y));
        is_alone = !pen_is_down;
        pen_is_down = true;
    }
    if is_alone {
        path.push_str("h0");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_their_steps() {
        let step = |from_x, to_x, low_y, high_y| Step { from_x, to_x, low_y, high_y };
        assert_eq!(area(&[]), "");
        assert_eq!(area(&[step(0.0, 10.0, 100.0, 50.0)]), "M0 50H10V100H0Z");
        let stairs =
            [step(0.0, 10.0, 100.0, 50.0), step(10.0, 20.0, 100.0, 50.0), step(20.0, 30.0, 90.0, 40.0)];
        assert_eq!(area(&stairs), "M0 50H20V40H30V90H20V100H0Z");
        let hole = [step(0.0, 10.0, 100.0, 50.0), step(20.0, 30.0, 100.0, 50.0)];
        assert_eq!(area(&hole), "M0 50H10V100H0ZM20 50H30V100H20Z");
    }

    #[test]
    fn lines_break_where_nothing_was_measured() {
        let points =
            [Some((0.0, 1.0)), Some((1.0, 2.0)), None, Some((3.0, 1.0)), None, None, Some((6.0, 6.0))];
        assert_eq!(line(points), "M0 1L1 2M3 1h0M6 6h0");
        assert_eq!(line([]), "");
    }
}
