use std::time::Duration;

use super::{CacheMethods, CacheValid, StaleConditions};
use crate::config::testing::{accepted, in_http, refused, warnings};

const PATH: &str = "proxy_cache_path /var/cache/x keys_zone=one:1m";

#[test]
fn a_path_is_read() {
    let text = "proxy_cache_path /c/ levels=1:2 keys_zone=one:10m max_size=1g inactive=1h min_free=5m \
                use_temp_path=off loader_files=7 loader_sleep=1s loader_threshold=2s manager_files=8 \
                manager_sleep=3s manager_threshold=4s purger=on purger_files=3 purger_sleep=1s \
                purger_threshold=1s; proxy_cache_path memory: keys_zone=two:1m;";
    let config = accepted(&in_http(text));
    let [one, two] = config.http.caches.as_slice() else { panic!("{:?}", config.http.caches) };
    assert_eq!((one.name.as_str(), one.folder.as_deref()), ("one", Some("/c".as_ref())));
    assert_eq!(
        (one.levels.as_slice(), one.keys_bytes, one.max_bytes),
        (&[1, 2][..], 10 << 20, Some(1 << 30))
    );
    assert_eq!((one.inactive, one.min_free_bytes), (Duration::from_secs(3600), 5 << 20));
    assert_eq!((one.loader.files, one.manager.files), (7, 8));
    assert_eq!((one.loader.sleep, one.manager.threshold), (Duration::from_secs(1), Duration::from_secs(4)));
    assert!(two.folder.is_none() && two.max_bytes.is_none());
}

#[test]
fn mistakes_in_a_path() {
    for (parameters, message) in [
        ("", "\"proxy_cache_path\" must have \"keys_zone\" parameter"),
        ("keys_zone=one", "invalid keys zone size \"keys_zone=one\""),
        ("keys_zone=one:x", "invalid keys zone size \"keys_zone=one:x\""),
        ("keys_zone=one:1k", "keys zone \"keys_zone=one:1k\" is too small"),
        ("keys_zone=one:1m levels=3", "invalid \"levels\" \"levels=3\""),
        ("keys_zone=one:1m levels=1:2:2:1", "invalid \"levels\""),
        ("keys_zone=one:1m inactive=x", "invalid inactive value \"inactive=x\""),
        ("keys_zone=one:1m max_size=x", "invalid max_size value \"max_size=x\""),
        ("keys_zone=one:1m loader_files=x", "invalid loader_files value \"loader_files=x\""),
        (
            "keys_zone=one:1m use_temp_path=x",
            "invalid use_temp_path value \"use_temp_path=x\", it must be \"on\" or \"off\"",
        ),
        ("keys_zone=one:1m nope=1", "invalid parameter \"nope=1\""),
    ] {
        refused(&in_http(&format!("proxy_cache_path /c levels=1 {parameters};")), message);
    }
    refused(&in_http(&format!("{PATH}; {PATH};")), "duplicate zone \"one\"");
    refused(
        &in_http("server { location / { proxy_cache one; proxy_pass http://1.1.1.1; } }"),
        "\"proxy_cache\" zone \"one\" is unknown",
    );
}

#[test]
fn settings_are_read() {
    let text = format!(
        "{PATH}; server {{ location / {{ proxy_cache one; proxy_cache_valid 1m; proxy_cache_valid 404 any 2m; \
         proxy_cache_methods POST; proxy_cache_use_stale error updating http_404; proxy_pass http://1.1.1.1; }} }}"
    );
    let config = accepted(&in_http(&text));
    let cache = &config.http.servers[0].locations[0].settings.cache;
    let valid = |status, seconds| CacheValid { status, time: Duration::from_secs(seconds) };
    let expected = [
        valid(Some(200), 60),
        valid(Some(301), 60),
        valid(Some(302), 60),
        valid(Some(404), 120),
        valid(None, 120),
    ];
    assert_eq!(cache.valid, expected);
    assert!(cache.is_on() && cache.methods.contain("POST") && !cache.methods.contain("PUT"));
    assert!(cache.use_stale.has(StaleConditions::UPDATING) && !cache.use_stale.has(StaleConditions::TIMEOUT));
    assert!(CacheMethods::READING.contain("HEAD") && !CacheMethods::READING.contain("POST"));
}

#[test]
fn mistakes_in_settings() {
    for (text, message) in [
        ("proxy_cache_valid 99 1m;", "invalid status \"99\""),
        ("proxy_cache_valid 200 x;", "invalid time value \"x\""),
        ("proxy_cache_use_stale nope;", "invalid value \"nope\""),
        ("proxy_cache_methods PUT;", "invalid value \"PUT\""),
        ("proxy_cache_lock maybe;", "invalid value \"maybe\""),
    ] {
        refused(&in_http(text), message);
    }
    let said = warnings(&in_http("proxy_cache_use_stale error error; server { }"));
    assert!(said.iter().any(|line| line.contains("duplicate value \"error\"")), "{said:?}");
}
