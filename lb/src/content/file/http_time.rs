//! The time of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT`, written and read.
//!
//! Reading takes the two older forms as well, and passes over what nginx does not look at: the name of the weekday and
//! what follows the seconds.

const DAY: i64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A second of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Year.
    pub year: i64,
    /// Month, from 1.
    pub month: u8,
    /// Day, from 1.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
    /// Days since Sunday.
    pub weekday: u8,
}

/// The calendar of so many seconds after 1970, in UTC.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn calendar(seconds: i64) -> Calendar {
    let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years that begin in March have their odd day at the end: 400 of them are 146,097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Calendar {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: month as u8,
        day: (day_of_year - (153 * from_march + 2) / 5 + 1) as u8,
        hour: (rest / 3600) as u8,
        minute: (rest / 60 % 60) as u8,
        second: (rest % 60) as u8,
        weekday: (days + 4).rem_euclid(7) as u8,
    }
}

/// Days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// As fields have it.
pub fn written(seconds: i64) -> String {
    let Calendar { year, month, day, hour, minute, second, weekday } = calendar(seconds);
    let (weekday, month) = (WEEKDAYS[usize::from(weekday)], MONTHS[usize::from(month) - 1]);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Reads any of the three forms; `None` where it is none of them.
pub fn read(text: &[u8]) -> Option<i64> {
    let mark = text.iter().position(|byte| matches!(byte, b',' | b' '))?;
    let asctime = text[mark] == b' ';
    let mut rest = Reader(text[mark + 1..].trim_ascii_start());
    let (year, month, day, time);
    if asctime {
        month = rest.month()?;
        rest.expect(b' ')?;
        rest.skip(b' ');
        day = rest.number_of(1, 2)?;
        rest.expect(b' ')?;
        time = rest.time()?;
        rest.expect(b' ')?;
        year = rest.number_of(4, 4)?;
    } else {
        day = rest.number_of(2, 2)?;
        let dashes = match rest.next()? {
            b' ' => false,
            b'-' => true,
            _ => return None,
        };
        month = rest.month()?;
        rest.expect(if dashes { b'-' } else { b' ' })?;
        year = if dashes {
            let year = rest.number_of(2, 2)?;
            year + if year < 70 { 2000 } else { 1900 }
        } else {
            rest.number_of(4, 4)?
        };
        rest.expect(b' ')?;
        time = rest.time()?;
    }
    let date = days(year, month, day);
    let back = calendar(date * DAY);
    let exists = (i64::from(back.day), i64::from(back.month)) == (day, month);
    (exists && year >= 1970).then_some(date * DAY + time)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn skip(&mut self, byte: u8) {
        if let Some(rest) = self.0.strip_prefix(&[byte]) {
            self.0 = rest;
        }
    }

    /// At least `min`, at most `max` digits.
    fn number_of(&mut self, min: usize, max: usize) -> Option<i64> {
        let digits = self.0.iter().take(max).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits).filter(|_| digits >= min)?;
        self.0 = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    fn month(&mut self) -> Option<i64> {
        let (name, rest) = self.0.split_at_checked(3)?;
        self.0 = rest;
        let index = MONTHS.iter().position(|month| month.as_bytes() == name)?;
        i64::try_from(index + 1).ok()
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.number_of(2, 2)?;
        self.expect(b':')?;
        let minute = self.number_of(2, 2)?;
        self.expect(b':')?;
        let second = self.number_of(2, 2)?;
        (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (seconds, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_772_323_199, "Sat, 28 Feb 2026 23:59:59 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        ] {
            assert_eq!(written(seconds), text);
            assert_eq!(read(text.as_bytes()), Some(seconds), "{text}");
        }
        // Every day of 140 years, once forward and once back.
        for day in 0..51_000 {
            assert_eq!(read(written(day * DAY).as_bytes()), Some(day * DAY));
        }
    }

    #[test]
    fn the_older_forms_and_what_is_none() {
        for (text, seconds) in [
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 16 08:49:37 1994", Some(784_975_777)),
            // The weekday is not looked at.
            ("Mon, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37", Some(784_111_777)),
            ("Sun, 30 Feb 1994 08:49:37 GMT", None),
            ("Sun, 29 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:60:37 GMT", None),
            ("Sun, 00 Nov 1994 08:00:37 GMT", None),
            ("Sun, 06 Nox 1994 08:49:37 GMT", None),
            ("Sun, 06/Nov/1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1969 08:49:37 GMT", None),
            ("784111777", None),
            ("", None),
            ("Sun,", None),
        ] {
            assert_eq!(read(text.as_bytes()), seconds, "{text}");
        }
    }
}
