//! Numbers as people read them: as many digits as mean something, and never a unit missing. Pure.

/// A whole number, its digits in groups of three.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of milliseconds.
pub fn ms(ms: f64) -> String {
    match ms {
        10_000.0.. => format!("{:.1} s", ms / 1e3),
        100.0.. => format!("{ms:.0} ms"),
        10.0.. => format!("{ms:.1} ms"),
        _ => format!("{ms:.2} ms"),
    }
}

/// A number of microseconds.
pub fn us(us: f64) -> String {
    match us {
        1_000.0.. => ms(us / 1e3),
        10.0.. => format!("{us:.0} µs"),
        _ => format!("{us:.1} µs"),
    }
}

/// A length of time in seconds.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        3_600.0.. => {
            format!("{:.0} h {:.0} min", (seconds / 3600.0).floor(), (seconds % 3600.0 / 60.0).floor())
        }
        120.0.. => format!("{:.0} min {:.0} s", (seconds / 60.0).floor(), (seconds % 60.0).floor()),
        10.0.. => format!("{seconds:.1} s"),
        _ => format!("{seconds:.2} s"),
    }
}

/// A number per second, without the unit.
pub fn rate(rate: f64) -> String {
    match rate {
        100.0.. => count(rate.round() as u64),
        10.0.. => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

/// A part from 0 to 1 as a percentage; what is not nothing does not look like nothing, nor like everything.
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent > 0.0 && percent < 0.01 {
        "<0.01 %".to_owned()
    } else if part < 1.0 && percent > 99.99 {
        ">99.99 %".to_owned()
    } else {
        format!("{percent:.2} %")
    }
}

/// By how much something differs, as a part of it, in per cent without the sign: never exact to more than this.
pub fn change(part: f64) -> String {
    let percent = part * 100.0;
    let decimals = if percent < 1.0 { 2 } else { 1 };
    format!("{percent:.decimals$}")
}

/// `one thing` or `3 things`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A text from the network or the command line, fit for a terminal: what could steer it is replaced.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// Control characters, and those that turn the direction of what follows.
pub fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `width` characters, the last an ellipsis where something was left out.
pub fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let counts = [0, 7, 999, 1000, 20_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "7", "999", "1,000", "20,000", "1,234,567"]);
        let times = [0.0, 0.314, 31.41, 314.2, 9_999.0, 12_345.0].map(ms);
        assert_eq!(times, ["0.00 ms", "0.31 ms", "31.4 ms", "314 ms", "9999 ms", "12.3 s"]);
        assert_eq!([4.21, 180.4, 2_400.0].map(us), ["4.2 µs", "180 µs", "2.40 ms"]);
        let lengths = [2.0, 12.345, 119.9, 754.0, 7_260.0].map(seconds);
        assert_eq!(lengths, ["2.00 s", "12.3 s", "119.9 s", "12 min 34 s", "2 h 1 min"]);
        assert_eq!([0.5, 12.34, 1620.449].map(rate), ["0.50", "12.3", "1,620"]);
    }

    #[test]
    fn a_little_is_neither_nothing_nor_everything() {
        let parts = [0.0, 0.000_01, 0.001, 0.5, 0.999_99, 1.0].map(percent);
        assert_eq!(parts, ["0.00 %", "<0.01 %", "0.10 %", "50.00 %", ">99.99 %", "100.00 %"]);
    }

    #[test]
    fn small_differences_have_more_digits() {
        for (part, expected) in [(0.0012, "0.12"), (0.00994, "0.99"), (0.01, "1.0"), (0.4567, "45.7")] {
            assert_eq!(change(part), expected);
        }
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(printable("a\x1b[2J\u{202e}b\n"), "a\u{fffd}[2J\u{fffd}b\u{fffd}");
        assert_eq!([shortened("backend-1", 9), shortened("backend-10", 9)], ["backend-1", "backend-…"]);
    }
}
