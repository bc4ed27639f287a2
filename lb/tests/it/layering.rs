//! Holds the order of the rooms: a room imports only rooms below it, the files of one room form no circle, and the pure
//! rooms name neither Pingora nor tokio.
//!
//! The test reads `crate::ROOM` in the sources of `lb/src`, comments and unit tests left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the lowest room to the highest. A room is a folder or a file of `lb/src`.
const FLOORS: &[&[&str]] = &[
    &["build_info", "suggestion", "system_error"],
    &["files", "filter", "open_files", "passwords", "script", "tokens"],
    &["config"],
    &["balance", "cli", "healthcheck", "limits", "observe", "routing", "tls"],
    &["content", "upstream"],
    &["cache"],
    &["request"],
    &["connection"],
    &["server"],
    &["admin", "proxy"],
    &["fuzz", "process"],
];

/// Rooms that decide and do nothing else.
const PURE: &[&str] = &["balance", "config", "filter", "request", "routing", "script", "tokens"];

/// What no pure room may name.
const FORBIDDEN_IN_PURE: &[&str] = &["pingora", "tokio", "Instant::now", "SystemTime::now", ".await"];

struct File {
    /// Path below `lb/src`, without `.rs`: `proxy/service`; a room's `mod` is the room itself.
    name: String,
    /// Code without comments and unit tests.
    code: String,
}

fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the sources are readable") {
            let path = entry.expect("the sources are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                files.push(read(&root, &path));
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing")
}

fn read(root: &Path, path: &PathBuf) -> File {
    let text = std::fs::read_to_string(path).expect("the sources are readable");
    // Unit tests stand at the end of a file.
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(&text);
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let relative = path.strip_prefix(root).expect("below the root").with_extension("");
    let name = relative.to_str().expect("names are ASCII").trim_end_matches("/mod").to_owned();
    File { name, code: code.join("\n") }
}

fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Every module path that a file names from the root (`crate::a::b`) or from its parent (`super::b`), as `a/b`, with
/// braces resolved one level.
fn imports(file: &File) -> BTreeSet<String> {
    let parent = file.name.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut found = paths_after(&file.code, "crate::", "");
    // A folder's own `mod.rs` carries the folder's name, so its parent is one level up as well.
    found.extend(paths_after(&file.code, "super::", parent));
    found
}

fn paths_after(code: &str, prefix: &str, base: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with("::") {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let path: String = rest.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
        let inner = rest[path.len()..].strip_prefix('{').and_then(|group| group.split('}').next());
        let path = path.trim_end_matches(':').replace("::", "/");
        for item in inner.unwrap_or_default().split(',').map(str::trim) {
            let item = item.split(" as ").next().unwrap_or(item).replace("::", "/");
            let whole = [base, &path, &item]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("/");
            found.insert(whole);
        }
    }
    found
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn every_room_has_its_floor() {
    let rooms: BTreeSet<String> = sources()
        .iter()
        .map(|file| room(&file.name).to_owned())
        .filter(|room| room != "lib" && room != "main")
        .collect();
    let drawn: BTreeSet<String> =
        FLOORS.iter().flat_map(|rooms| rooms.iter().map(|room| (*room).to_owned())).collect();
    assert_eq!(rooms, drawn, "FLOORS and lb/src name the same rooms");
}

#[test]
fn no_room_imports_a_room_of_its_own_floor_or_above() {
    let mut upward = Vec::new();
    for file in sources().iter().filter(|file| !["lib", "main"].contains(&file.name.as_str())) {
        let own = room(&file.name);
        for import in imports(file) {
            let other = room(&import);
            if other == own {
                continue;
            }
            if let (Some(from), Some(to)) = (floor(own), floor(other))
                && to >= from
            {
                upward.push(format!("{} imports {import}", file.name));
            }
        }
    }
    assert!(upward.is_empty(), "arrows that do not point down:\n{}", upward.join("\n"));
}

#[test]
fn files_inside_a_room_form_no_circle() {
    let files = sources();
    let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in &files {
        for import in imports(file) {
            if let Some(other) = file_of(&import, &names)
                && other != file.name
                && room(other) == room(&file.name)
            {
                arrows.entry(&file.name).or_default().insert(other);
            }
        }
    }
    let circles: Vec<&str> = arrows.keys().copied().filter(|start| reaches(start, start, &arrows)).collect();
    assert!(circles.is_empty(), "files that need themselves through others: {circles:?}");
}

/// The file that a module path lies in: the longest beginning of it that names one.
fn file_of<'a>(path: &str, names: &BTreeSet<&'a str>) -> Option<&'a str> {
    let mut beginning = path;
    loop {
        if let Some(name) = names.get(beginning) {
            return Some(name);
        }
        beginning = beginning.rsplit_once('/')?.0;
    }
}

fn reaches(from: &str, to: &str, arrows: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = arrows.get(from).into_iter().flatten().copied().collect();
    while let Some(at) = next.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            next.extend(arrows.get(at).into_iter().flatten());
        }
    }
    false
}

#[test]
fn pure_rooms_name_no_runtime_and_no_clock() {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| PURE.contains(&room(&file.name))) {
        for word in FORBIDDEN_IN_PURE {
            if file.code.contains(word) {
                found.push(format!("{} names {word}", file.name));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
