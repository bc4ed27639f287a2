use super::*;
use crate::config::model::{Action, DocumentRoot, Position, Settings};

/// A location by nginx's own notation: `= /a`, `^~ /a`, `~ regex`, `@name`, `/a`.
fn location(head: &str, nested: Vec<Arc<Location>>) -> Arc<Location> {
    let pattern = match head.split_once(' ') {
        Some(("=", path)) => LocationMatch::Exact(path.to_owned()),
        Some(("^~", path)) => LocationMatch::FinalPrefix(path.to_owned()),
        Some(("~", regex)) => LocationMatch::Regex(regex::Regex::new(regex).unwrap()),
        _ if head.starts_with('@') => LocationMatch::Named(head.to_owned()),
        _ => LocationMatch::Prefix(head.to_owned()),
    };
    Arc::new(Location {
        pattern,
        program: Arc::from([]),
        internal: false,
        action: Action::Files,
        settings: Settings::default(),
        access_logs: Arc::from([]),
        root: Arc::new(DocumentRoot::fixed("", "/html")),
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
        let found = table.find(path.as_bytes()).map_or("", |location| &location.position.file);
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
            let found = table.find(path.as_bytes()).map(|found| &*found.position.file);
            assert_eq!(found, longest.map(String::as_str), "{path}");
        }
    }
}
