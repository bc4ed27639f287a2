//! `proxy_cache_path`: where answers are kept, and how much of them.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::diagnostics::{Position, Report};
use crate::config::syntax::Directive;
use crate::config::table::Effect::Reads;
use crate::config::table::{Block, HTTP, Row, at_least, row};
use crate::config::values;

#[rustfmt::skip]
pub(in crate::config::modules) const ROWS: &[Row] = &[
    row("proxy_cache_path", HTTP, at_least(2, "path | memory: [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] [manager_files=number] [manager_sleep=time] [manager_threshold=time] [loader_files=number] [loader_sleep=time] [loader_threshold=time] [purger=on|off] …"), Reads(read),
        "Where answers are kept: files below a path, of at most `max_size`, gone when nobody has asked for them for the time of `inactive`. `memory:` keeps them in memory, up to `max_size` or else the size of the zone, and forgets them with the process")
        .differs("files have a form of their own, and those of nginx are not read; temporary files are always beside them (`use_temp_path`); `keys_zone` bounds the number of answers, 8000 for each megabyte; `purger*` has no effect, as nothing is left to purge later")
        .repeatable(),
];

/// The least that nginx takes for a zone of keys: two pages.
const LEAST_ZONE_BYTES: u64 = 8192;
/// What stands for a path where answers are kept in memory.
const MEMORY: &str = "memory:";

/// How much is done at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Files.
    pub files: u64,
    /// For how long at most.
    pub threshold: Duration,
    /// How long nothing is done after that.
    pub sleep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { files: 100, threshold: Duration::from_millis(200), sleep: Duration::from_millis(50) }
    }
}

/// One `proxy_cache_path`.
#[derive(Debug, Clone, PartialEq)]
pub struct CachePath {
    /// The zone's name.
    pub name: String,
    /// The folder; `None` for memory. Relative to the prefix until the whole configuration is known.
    pub folder: Option<PathBuf>,
    /// How many digits of a file's name its folders have, from the end of the name; at most three.
    pub levels: Vec<usize>,
    /// The size of the zone of keys.
    pub keys_bytes: u64,
    /// How long an answer stays that nobody asks for.
    pub inactive: Duration,
    /// How many bytes are kept; `None` for any number.
    pub max_bytes: Option<u64>,
    /// How many bytes stay free on the file system.
    pub min_free_bytes: u64,
    /// How files are taken away.
    pub manager: Pace,
    /// How files are found at the start.
    pub loader: Pace,
    /// The first argument.
    pub position: Position,
}

fn read(block: &mut Block, directive: &Directive, report: &mut Report) {
    let path = directive.argument(0);
    let folder = (path != MEMORY).then(|| PathBuf::from(path.trim_end_matches('/')));
    let mut given = CachePath {
        name: String::new(),
        folder,
        levels: Vec::new(),
        keys_bytes: 0,
        inactive: Duration::from_secs(600),
        max_bytes: None,
        min_free_bytes: 0,
        manager: Pace::default(),
        loader: Pace::default(),
        position: directive.position.clone(),
    };
    for index in 1..directive.arguments.len() {
        if let Err(message) = parameter(&mut given, directive.argument(index)) {
            report.emerg(message, &directive.argument_position(index));
            return;
        }
    }
    if given.name.is_empty() {
        let message = "\"proxy_cache_path\" must have \"keys_zone\" parameter";
        report.emerg(message, &directive.position);
        return;
    }
    let mut duplicate = false;
    block.edit(|paths: &mut Vec<CachePath>| {
        duplicate = paths.iter().any(|known| known.name == given.name);
        if !duplicate {
            paths.push(given.clone());
        }
    });
    if duplicate {
        report.emerg(format!("duplicate zone \"{}\"", given.name), &directive.position);
    }
}

/// Reads `name=value` into what is given.
fn parameter(given: &mut CachePath, word: &str) -> Result<(), String> {
    let unknown = || format!("invalid parameter \"{word}\"");
    let (name, value) = word.split_once('=').ok_or_else(unknown)?;
    let invalid = || format!("invalid {name} value \"{word}\"");
    let number = || value.parse::<u64>().map_err(|_| invalid());
    let time = || values::milliseconds(value).ok_or_else(invalid);
    match name {
        "levels" => given.levels = levels(value).ok_or_else(|| format!("invalid \"levels\" \"{word}\""))?,
        "use_temp_path" if matches!(value, "on" | "off") => {}
        "use_temp_path" => {
            return Err(format!("invalid use_temp_path value \"{word}\", it must be \"on\" or \"off\""));
        }
        "keys_zone" => {
            let size = value.split_once(':').and_then(|(name, size)| Some((name, values::size(size)?)));
            let Some((name, bytes)) = size.filter(|(name, _)| !name.is_empty()) else {
                return Err(format!("invalid keys zone size \"{word}\""));
            };
            if bytes < LEAST_ZONE_BYTES {
                return Err(format!("keys zone \"{word}\" is too small"));
            }
            (given.name, given.keys_bytes) = (name.to_owned(), bytes);
        }
        "inactive" => given.inactive = values::seconds(value).ok_or_else(invalid)?,
        "max_size" => given.max_bytes = Some(values::offset(value).ok_or_else(invalid)?),
        "min_free" => given.min_free_bytes = values::offset(value).ok_or_else(invalid)?,
        "manager_files" => given.manager.files = number()?,
        "manager_sleep" => given.manager.sleep = time()?,
        "manager_threshold" => given.manager.threshold = time()?,
        "loader_files" => given.loader.files = number()?,
        "loader_sleep" => given.loader.sleep = time()?,
        "loader_threshold" => given.loader.threshold = time()?,
        "purger" if matches!(value, "on" | "off") => {}
        "purger_files" => {
            number()?;
        }
        "purger_sleep" | "purger_threshold" => {
            time()?;
        }
        _ => return Err(unknown()),
    }
    Ok(())
}

/// `1:2:2`: up to three, each of one or two digits.
fn levels(text: &str) -> Option<Vec<usize>> {
    let level = |part: &str| match part {
        "1" => Some(1),
        "2" => Some(2),
        _ => None,
    };
    let levels: Vec<usize> = text.split(':').map(level).collect::<Option<_>>()?;
    (levels.len() <= 3).then_some(levels)
}
