use std::time::{Duration, Instant};

use super::*;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern, Case::Sensitive).expect("a sound pattern")
}

/// The whole match and the groups, `-` for one without value.
fn matched(regex: &Regex, subject: &str) -> Option<Vec<String>> {
    let captures = regex.captures(subject.as_bytes())?;
    let text = |group| {
        captures
            .get(group)
            .map_or_else(|| "-".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
    };
    Some((0..=regex.groups()).map(text).collect())
}

#[test]
fn patterns_mean_what_they_mean_to_pcre() {
    let cases: &[(&str, &str, Option<&[&str]>)] = &[
        (r"\.(gif|jpe?g)$", "/a.jpeg", Some(&[".jpeg", "jpeg"])),
        (r"\.(gif|jpe?g)$", "/a.jpeg/", None),
        // `$` also matches before a newline at the end.
        ("a$", "a\n", Some(&["a"])),
        ("a$", "a\n\n", None),
        (r"a\z", "a\n", None),
        (r"a\Z", "a\n", Some(&["a"])),
        ("^b", "a\nb", None),
        ("a.c", "a\nc", None),
        ("^/([^/]+)/(.*)$", "/x/y/z", Some(&["/x/y/z", "x", "y/z"])),
        ("(a)|(b)|(c)", "b", Some(&["b", "", "b", "-"])),
        ("^/(?!api/)(.*)", "/apo", Some(&["/apo", "apo"])),
        ("^/(?!api/)(.*)", "/api/x", None),
        (r"^/(\w)\1$", "/aa", Some(&["/aa", "a"])),
        (r"^/(\w)\1$", "/ab", None),
        ("(?<=a)b", "ab", Some(&["b"])),
        (r"a\Kb", "ab", Some(&["b"])),
        (r"\Qa.b\E", "a.b", Some(&["a.b"])),
        (r"\Qa.b\E", "axb", None),
        ("[[:digit:]]+", "ab12", Some(&["12"])),
        (r"^\h$", "\t", Some(&["\t"])),
        ("^(?i)/A$", "/a", Some(&["/a"])),
        ("^a++ab", "aaab", None),
        ("^(?>a+)b", "aab", Some(&["aab"])),
        ("[]x]", "]", Some(&["]"])),
        ("^[a[]$", "[", Some(&["["])),
        // A quantifier since PCRE2 10.43; plain text before.
        ("^a{,2}b", "aab", Some(&["aab"])),
        ("^a{$", "a{", Some(&["a{"])),
        ("(a|ab)(c|bcd)(d*)", "abcd", Some(&["abcd", "a", "bcd", ""])),
        // Bytes, unless the pattern itself asks for UTF-8.
        ("^.$", "é", None),
        ("(*UTF)^.$", "é", Some(&["é"])),
        (r"^\w+$", "é", None),
        ("é", "né", Some(&["é"])),
        ("", "", Some(&[""])),
    ];
    for (pattern, subject, expected) in cases {
        let regex = regex(pattern);
        let expected = expected.map(|groups| groups.iter().map(|group| (*group).to_owned()).collect());
        assert_eq!(matched(&regex, subject), expected, "{pattern} on {subject:?}");
        assert_eq!(regex.is_match(subject.as_bytes()), expected.is_some(), "{pattern} on {subject:?}");
    }
}

#[test]
fn case_is_of_ascii_letters_alone() {
    for pattern in [r"^/IMG/[a-f]\.png$", r"^(?=/)/IMG/[a-f]\.png$"] {
        let insensitive = Regex::new(pattern, Case::Insensitive).unwrap();
        assert!(insensitive.is_match(b"/img/D.PNG"), "{pattern}");
        assert!(!regex(pattern).is_match(b"/img/d.png"), "{pattern}");
    }
    assert!(!Regex::new("É", Case::Insensitive).unwrap().is_match("é".as_bytes()));
}

#[test]
fn subjects_are_bytes() {
    assert!(regex("^/[^x]+$").is_match(b"/\xff\xfe"));
    assert!(regex("^/(?!x).+$").is_match(b"/\xff\xfe"));
    let captures = regex("^/(.*)$").captures(b"/\xff").unwrap();
    assert_eq!(captures.get(1), Some(&b"\xff"[..]));
    assert_eq!(captures.get(2), None);
}

#[test]
fn groups_have_numbers_and_names() {
    let regex = regex("^(?<Lang>..)/(x)(?:y)?(?P<rest>.*)$");
    assert_eq!(regex.groups(), 3);
    let names: Vec<(&str, usize)> = regex.names().iter().map(|(name, group)| (&**name, *group)).collect();
    assert_eq!(names, [("lang", 1), ("rest", 3)]);
    assert_eq!(regex.as_str(), "^(?<Lang>..)/(x)(?:y)?(?P<rest>.*)$");
    assert!(format!("{regex:?}").contains("Lang"));
}

#[test]
fn mistakes_are_told_in_nginxs_words() {
    // What nginx 1.22 with PCRE2 10.42 says.
    for (pattern, text) in [
        ("a(b", "pcre2_compile() failed: missing closing parenthesis in \"a(b\""),
        ("a)b", "pcre2_compile() failed: unmatched closing parenthesis in \"a)b\" at \")b\""),
        ("[z-a]", "pcre2_compile() failed: range out of order in character class in \"[z-a]\" at \"a]\""),
        ("*a", "pcre2_compile() failed: quantifier does not follow a repeatable item in \"*a\" at \"*a\""),
        (
            "(?<a>.)(?<a>.)",
            "pcre2_compile() failed: two named subpatterns have the same name (PCRE2_DUPNAMES not set) in \
             \"(?<a>.)(?<a>.)\" at \".)\"",
        ),
    ] {
        assert_eq!(Regex::new(pattern, Case::Sensitive).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_catastrophic_pattern_ends_quickly() {
    let subject = [b"/".to_vec(), b"a".repeat(4_000), b"!".to_vec()].concat();
    // The first needs PCRE2, the second does not.
    for (pattern, expected) in
        [(r"^/(?!x)(a+)+$", Some(-47)), ("^/(a+)+$", None), (r"^/(a|a)*\1$", Some(-46))]
    {
        let begin = Instant::now();
        let regex = regex(pattern);
        let text = expected.map(|code: i32| format!("pcre2_match() failed: {code} using \"{pattern}\""));
        assert_eq!(regex.try_is_match(&subject).err().map(|error| error.to_string()), text);
        assert_eq!(regex.try_captures(&subject).err().map(|error| error.to_string()), text);
        assert!(!regex.is_match(&subject) && regex.captures(&subject).is_none());
        assert!(begin.elapsed() < Duration::from_secs(5), "{pattern}: {:?}", begin.elapsed());
    }
}

/// A pattern of the admitted grammar, now and then one beyond it.
fn pattern(random: &mut fastrand::Rng, depth: usize) -> String {
    const ATOMS: &[&str] = &[
        "a", "b", "A", "/", r"\.", ".", "-", r"\d", r"\w", r"\s", r"\W", "[ab]", "[^a]", "[a-c/]", r"[\w-]",
        "[^/.]", r"\D", "1", r"[\d.]", "%", "_", r"\-", r"\n", "[-b]",
    ];
    const ASSERTIONS: &[&str] = &["^", "$", r"\b", r"\B"];
    const QUANTIFIERS: &[&str] = &["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "??", "{1,2}?"];
    let mut text = String::new();
    for branch in 0..1 + usize::from(random.u8(..4) == 0) {
        if branch > 0 {
            text.push('|');
        }
        for _ in 0..random.usize(..4) {
            match random.u8(..10) {
                0 => text.push_str(ASSERTIONS[random.usize(..ASSERTIONS.len())]),
                1..=2 if depth < 3 => {
                    text.push_str(if random.bool() { "(" } else { "(?:" });
                    text.push_str(&pattern(random, depth + 1));
                    text.push(')');
                    if random.bool() {
                        text.push_str(QUANTIFIERS[random.usize(..QUANTIFIERS.len())]);
                    }
                }
                _ => {
                    text.push_str(ATOMS[random.usize(..ATOMS.len())]);
                    if random.u8(..3) == 0 {
                        text.push_str(QUANTIFIERS[random.usize(..QUANTIFIERS.len())]);
                    }
                }
            }
        }
    }
    text
}

#[test]
fn the_linear_engine_agrees_with_pcre_on_what_is_admitted() {
    const BYTES: &[u8] = b"abABc/.-_1% \n\xff";
    let mut random = fastrand::Rng::with_seed(42);
    let (mut admitted, mut matches) = (0, 0);
    for _ in 0..2_000 {
        let text = pattern(&mut random, 0);
        let case = if random.bool() { Case::Sensitive } else { Case::Insensitive };
        let Ok(compiled) = Regex::new(&text, case) else { continue };
        let Some(linear) = &compiled.0.linear else { continue };
        admitted += 1;
        for _ in 0..20 {
            let subject: Vec<u8> =
                (0..random.usize(..10)).map(|_| BYTES[random.usize(..BYTES.len())]).collect();
            if !linear.agrees_on(&subject) {
                continue;
            }
            let pcre = &compiled.0.pcre;
            let mut found = pcre.capture_locations();
            let expected = pcre
                .captures_read(&mut found, &subject)
                .unwrap()
                .map(|_| (0..=compiled.groups()).map(|group| found.get(group)).collect::<Vec<_>>());
            let got = linear.captures(&subject);
            let got = got.map(|got| (0..got.len()).map(|group| got.get(group)).collect::<Vec<_>>());
            assert_eq!(got, expected, "{text} on {:?} ({case:?})", String::from_utf8_lossy(&subject));
            assert_eq!(linear.is_match(&subject), expected.is_some(), "{text}");
            matches += usize::from(expected.is_some());
        }
    }
    assert!(admitted > 800 && matches > 2_500, "{admitted} patterns, {matches} matches");
}
