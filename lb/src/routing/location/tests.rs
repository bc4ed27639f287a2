use super::*;
use crate::config::model::{AccessRules, Action, DocumentRoot, Position, Settings};
use crate::script::{Case, Names, Regex};

fn pattern(text: &str) -> Pattern {
    Pattern::new(Regex::new(text, Case::Sensitive).unwrap(), &mut Names::<()>::default()).unwrap()
}

/// A location by nginx's own notation: `= /a`, `^~ /a`, `~ regex`, `@name`, `/a`.
fn location(head: &str, nested: Vec<Arc<Location>>) -> Arc<Location> {
    let pattern = match head.split_once(' ') {
        Some(("=", path)) => LocationMatch::Exact(path.to_owned()),
        Some(("^~", path)) => LocationMatch::FinalPrefix(path.to_owned()),
        Some(("~", regex)) => LocationMatch::Regex(pattern(regex)),
        _ if head.starts_with('@') => LocationMatch::Named(head.to_owned()),
        _ => LocationMatch::Prefix(head.to_owned()),
    };
    Arc::new(Location {
        pattern,
        program: Arc::from([]),
        internal: false,
        action: Action::Files,
        settings: Settings::default(),
        changes_bodies: false,
        access_logs: Arc::from([]),
        error_logs: None,
        root: Arc::new(DocumentRoot::fixed("", "/html")),
        is_guarded: false,
        is_limited: false,
        access: AccessRules::default(),
        try_files: None,
        limit_except: None,
        nested,
        position: Position { file: head.into(), line: 0 },
    })
}

fn leaf(head: &str) -> Arc<Location> {
    location(head, Vec::new())
}

#[track_caller]
fn finds(locations: &[Arc<Location>], cases: &[(&str, &str)]) {
    let table = LocationTable::new(locations);
    for (path, head) in cases {
        let found =
            table.find(path.as_bytes()).unwrap().location.map_or("", |location| &location.position.file);
        assert_eq!(found, *head, "{path}");
    }
}

#[test]
fn an_exact_location_comes_before_the_longest_prefix() {
    let locations = ["/", "/a", "= /a", "/a/b", "/a/b/c", "/ab", "= /x", "= /a/b/"].map(leaf);
    finds(
        &locations,
        &[
            ("/", "/"),
            ("/z", "/"),
            ("/a", "= /a"),
            ("/a/", "/a"),
            ("/aa", "/a"),
            ("/ab", "/ab"),
            ("/abc", "/ab"),
            ("/a/b", "/a/b"),
            ("/a/b/", "= /a/b/"),
            ("/a/b/b", "/a/b"),
            ("/a/b/c", "/a/b/c"),
            ("/a/b/cc", "/a/b/c"),
            ("/a/b0", "/a/b"),
            ("/x", "= /x"),
            ("/xy", "/"),
        ],
    );
    finds(&["/a", "= /b"].map(leaf), &[("/", ""), ("/b/", ""), ("/c", ""), ("/a0", "/a")]);
    finds(&[], &[("/", "")]);
}

#[test]
fn a_regular_expression_comes_before_a_prefix_unless_that_is_final() {
    let locations = ["/", "/a", "^~ /static", "~ [.]php$", "~ ^/a/b", "= /x.php", "@x"].map(leaf);
    finds(
        &locations,
        &[
            ("/a/x", "/a"),
            ("/a/x.php", "~ [.]php$"),
            ("/a/b.php", "~ [.]php$"),
            ("/a/b", "~ ^/a/b"),
            ("/static/x.php", "^~ /static"),
            ("/x.php", "= /x.php"),
            ("/@x", "/"),
            ("@x", ""),
        ],
    );
}

#[test]
fn the_locations_inside_a_prefix_are_searched_before_its_neighbours_expressions() {
    let inside = vec![leaf("/a/b"), leaf("= /a/c"), leaf("~ in$"), leaf("^~ /a/final")];
    let locations =
        [location("/a", inside), leaf("~ (in|out)$"), location("^~ /f", vec![leaf("/f/g"), leaf("~ in$")])];
    finds(
        &locations,
        &[
            ("/a/x", "/a"),
            ("/a/b", "/a/b"),
            ("/a/c", "= /a/c"),
            ("/a/b/in", "~ in$"),
            ("/a/b/out", "~ (in|out)$"),
            // `^~` keeps out the expressions of its own level alone.
            ("/a/final/in", "~ (in|out)$"),
            ("/f/g/out", "/f/g"),
            ("/f/g/in", "~ in$"),
            ("/z/out", "~ (in|out)$"),
            ("/z", ""),
        ],
    );
}

#[test]
fn a_regular_expression_may_have_locations_inside() {
    let locations = [leaf("/"), location("~ ^/u/", vec![leaf("~ [.]png$")])];
    finds(&locations, &[("/u/x", "~ ^/u/"), ("/u/x.png", "~ [.]png$"), ("/x.png", "/")]);
}

#[test]
fn the_groups_of_every_expression_on_the_way_are_kept() {
    let inside = vec![leaf("~ ([^/]+)[.]png$"), leaf("~ x")];
    let locations =
        [leaf("/"), location("~ ^/(?<lang>..)/(.*)", inside), leaf("~ ^/long(er)?$"), leaf("~ plain")];
    let table = LocationTable::new(&locations);
    for (path, expected) in [
        ("/", &[][..]),
        ("/de/a", &[("^/(?<lang>..)/(.*)", &["de", "a"][..])]),
        ("/de/a/b.png", &[("^/(?<lang>..)/(.*)", &["de", "a/b.png"]), ("([^/]+)[.]png$", &["b"])]),
        ("/de/x", &[("^/(?<lang>..)/(.*)", &["de", "x"]), ("x", &[])]),
        ("/long", &[("^/long(er)?$", &[])]),
        ("/plain", &[("plain", &[])]),
    ] {
        let found = table.find(path.as_bytes()).unwrap();
        let texts: Vec<(&str, Vec<String>)> = found
            .matched
            .iter()
            .map(|matched| {
                let groups = (1..).map_while(|group| matched.captures.get(group));
                let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
                (matched.pattern.as_str(), groups.collect())
            })
            .collect();
        let expected: Vec<(&str, Vec<String>)> = expected
            .iter()
            .map(|(regex, groups)| (*regex, groups.iter().map(|group| (*group).to_owned()).collect()))
            .collect();
        assert_eq!(texts, expected, "{path}");
    }
}

#[test]
fn an_expression_that_gives_up_is_no_miss() {
    let table = LocationTable::new(&["/", "~ ^/(?!x)(a+)+$"].map(leaf));
    assert!(table.find(format!("/{}!", "a".repeat(2_000)).as_bytes()).is_err());
    assert!(table.find(b"/b").is_ok());
}

#[test]
fn a_path_is_bytes() {
    finds_bytes(&["/", "~ ^/.$"].map(leaf), b"/\xff", "~ ^/.$");
}

fn finds_bytes(locations: &[Arc<Location>], path: &[u8], head: &str) {
    let table = LocationTable::new(locations);
    let found = table.find(path).unwrap();
    assert_eq!(&*found.location.unwrap().position.file, head);
}

#[test]
fn the_search_agrees_with_trying_every_prefix() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut word =
        |length: usize| -> String { (0..length).map(|_| if random.bool() { 'a' } else { '/' }).collect() };
    let mut heads: Vec<String> = (0..300).map(|index| format!("/{}", word(index % 9))).collect();
    heads.sort();
    heads.dedup();
    let locations: Vec<Arc<Location>> = heads.iter().map(|head| leaf(head)).collect();
    let table = LocationTable::new(&locations);
    for length in 0..12 {
        for _ in 0..200 {
            let path = format!("/{}", word(length));
            let longest = heads.iter().filter(|head| path.starts_with(*head)).max_by_key(|head| head.len());
            let found = table.find(path.as_bytes()).unwrap().location.map(|found| &*found.position.file);
            assert_eq!(found, longest.map(String::as_str), "{path}");
        }
    }
}
