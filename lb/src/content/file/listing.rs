//! The list of a directory, byte for byte as nginx writes it: order, names, and the HTML page. [`super::listing_data`] has
//! the formats for programs.

use super::http_time::{self, Calendar, MONTHS};
use crate::content::escape::escape_html;
use crate::files::{Entry, Kind};

/// How the page is written.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// `autoindex_exact_size`
    pub exact_size: bool,
    /// What local time is ahead of UTC, in seconds; 0 without `autoindex_localtime`.
    pub ahead: i64,
    /// The answer's charset is UTF-8: columns count characters and not bytes.
    pub utf8: bool,
}

/// Columns for a name.
const NAME_COLUMNS: usize = 50;

/// Brings the names into nginx's order: directories first, then by their bytes.
pub fn sort(entries: &mut [Entry]) {
    entries.sort_by(|one, other| {
        let directories = (other.kind == Kind::Directory).cmp(&(one.kind == Kind::Directory));
        directories.then_with(|| one.name.cmp(&other.name))
    });
}

/// The page of the sorted `entries` of the directory at `uri`.
pub fn html(uri: &[u8], entries: &[Entry], page: Page) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + entries.len() * 160);
    out.extend_from_slice(b"<html>\r\n<head><title>Index of ");
    escape_html(uri, &mut out);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    escape_html(uri, &mut out);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for entry in entries {
        line(entry, page, &mut out);
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
    out
}

fn line(entry: &Entry, page: Page, out: &mut Vec<u8>) {
    let is_directory = entry.kind == Kind::Directory;
    out.extend_from_slice(b"<a href=\"");
    escape_uri_component(&entry.name, out);
    out.extend_from_slice(if is_directory { b"/\">" } else { b"\">" });
    let columns = if page.utf8 { characters(&entry.name) } else { entry.name.len() };
    if columns > NAME_COLUMNS {
        escape_html(beginning(&entry.name, NAME_COLUMNS - 3, page.utf8), out);
        out.extend_from_slice(b"..&gt;</a>");
    } else {
        escape_html(&entry.name, out);
        let mut columns = columns;
        if is_directory && columns < NAME_COLUMNS {
            out.push(b'/');
            columns += 1;
        }
        out.extend_from_slice(b"</a>");
        out.resize(out.len() + NAME_COLUMNS - columns, b' ');
    }
    let Calendar { year, month, day, hour, minute, .. } = http_time::calendar(entry.modified + page.ahead);
    let month = MONTHS[usize::from(month) - 1];
    let size = match (page.exact_size, is_directory) {
        (true, true) => format!("{:>19}", "-"),
        (true, false) => format!("{:>19}", entry.length),
        (false, true) => format!("{:>7}", "-"),
        (false, false) => rounded(entry.length),
    };
    out.extend_from_slice(format!(" {day:02}-{month}-{year} {hour:02}:{minute:02} {size}\r\n").as_bytes());
}

/// A size of at most six digits and a unit.
fn rounded(bytes: u64) -> String {
    const KILO: u64 = 1 << 10;
    const MEGA: u64 = 1 << 20;
    const GIGA: u64 = 1 << 30;
    let (unit, letter) = match bytes {
        0..=9999 => return format!("{bytes:>7}"),
        10_000..MEGA => (KILO, 'K'),
        MEGA..GIGA => (MEGA, 'M'),
        _ => (GIGA, 'G'),
    };
    format!("{:>6}{letter}", bytes / unit + u64::from(bytes % unit >= unit / 2))
}

/// How many characters there are; for what is no UTF-8, how many bytes.
fn characters(name: &[u8]) -> usize {
    std::str::from_utf8(name).map_or(name.len(), |name| name.chars().count())
}

/// The first `count` characters or bytes.
fn beginning(name: &[u8], count: usize, utf8: bool) -> &[u8] {
    let end = match std::str::from_utf8(name) {
        Ok(text) if utf8 => text.char_indices().nth(count).map_or(name.len(), |(at, _)| at),
        _ => count.min(name.len()),
    };
    &name[..end]
}

fn escape_uri_component(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::content::file) fn entry(name: &str, kind: Kind, length: u64) -> Entry {
        // 5 January 2026, 03:04:05.
        Entry { name: name.as_bytes().to_vec(), kind, length, modified: 1_767_582_245 }
    }

    const EXACT: Page = Page { exact_size: true, ahead: 0, utf8: false };

    fn only_line(entry: &Entry, page: Page) -> String {
        let mut out = Vec::new();
        line(entry, page, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn directories_come_first_and_names_by_their_bytes() {
        use Kind::{Directory, File, Other};
        let mut entries = [
            entry("b", File, 1),
            entry("a", Other, 1),
            entry("z", Directory, 1),
            entry("Z", File, 1),
            entry("y", Directory, 1),
        ];
        sort(&mut entries);
        let names: Vec<&[u8]> = entries.iter().map(|entry| entry.name.as_slice()).collect();
        assert_eq!(names, [b"y", b"z", b"Z", b"a", b"b"]);
    }

    #[test]
    fn a_page_is_laid_out_as_nginx_does() {
        let page = html(b"/d<>/", &[entry("sub", Kind::Directory, 9), entry("b.txt", Kind::File, 5)], EXACT);
        let expected = "<html>\r\n<head><title>Index of /d&lt;&gt;/</title></head>\r\n<body>\r\n\
            <h1>Index of /d&lt;&gt;/</h1><hr><pre><a href=\"../\">../</a>\r\n\
            <a href=\"sub/\">sub/</a>                                               05-Jan-2026 03:04                   -\r\n\
            <a href=\"b.txt\">b.txt</a>                                              05-Jan-2026 03:04                   5\r\n\
            </pre><hr></body>\r\n</html>\r\n";
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }

    #[test]
    fn long_names_are_cut_by_bytes_or_by_characters() {
        let utf8 = Page { utf8: true, ..EXACT };
        let end = " 05-Jan-2026 03:04                   1\r\n";
        for (name, kind, page, shown) in [
            ("n".repeat(51), Kind::File, EXACT, format!("{}..&gt;</a>", "n".repeat(47))),
            ("e".repeat(50), Kind::File, EXACT, format!("{}</a>", "e".repeat(50))),
            ("&".repeat(51), Kind::File, EXACT, format!("{}..&gt;</a>", "&amp;".repeat(47))),
            ("ü".repeat(51), Kind::File, utf8, format!("{}..&gt;</a>", "ü".repeat(47))),
            ("ü".to_owned(), Kind::File, EXACT, format!("ü</a>{}", " ".repeat(48))),
            ("ü".to_owned(), Kind::File, utf8, format!("ü</a>{}", " ".repeat(49))),
        ] {
            let line = only_line(&entry(&name, kind, 1), page);
            assert!(line.ends_with(&format!("\">{shown}{end}")), "{line}");
        }
        let line = only_line(&entry(&"f".repeat(50), Kind::Directory, 1), EXACT);
        assert!(line.contains(&format!("/\">{}</a> 05", "f".repeat(50))), "{line}");
        let line = only_line(&entry(&"f".repeat(49), Kind::Directory, 1), EXACT);
        assert!(line.contains(&format!("/\">{}/</a> 05", "f".repeat(49))), "{line}");
    }

    #[test]
    fn names_are_escaped_in_both_places() {
        let line = only_line(&entry("a b&\"ü", Kind::File, 1), EXACT);
        assert!(line.starts_with("<a href=\"a%20b%26%22%C3%BC\">a b&amp;&quot;ü</a>"), "{line}");
    }

    #[test]
    fn sizes_are_rounded_to_the_nearest_unit_and_times_may_be_local() {
        for (bytes, shown) in [
            (0, "      0"),
            (9999, "   9999"),
            (10_000, "    10K"),
            (20_000, "    20K"),
            (20_992, "    21K"),
            (20_991, "    20K"),
            (1_048_575, "  1024K"),
            (1_048_576, "     1M"),
            (1_572_864, "     2M"),
            (1_073_741_824, "     1G"),
        ] {
            assert_eq!(rounded(bytes), shown, "{bytes}");
        }
        let local = Page { exact_size: false, ahead: 3600, utf8: false };
        assert!(only_line(&entry("a", Kind::File, 1), local).ends_with(" 05-Jan-2026 04:04       1\r\n"));
        assert!(
            only_line(&entry("a", Kind::Directory, 1), local).ends_with(" 05-Jan-2026 04:04       -\r\n")
        );
    }
}
