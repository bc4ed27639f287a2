//! The cache on a real disk: what outlives the process, what a damaged file, a disk that takes nothing and a thousand clients
//! at a time come to.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::*;

/// A balancer whose answers are fresh for a minute, and are kept in `place`.
fn balancer(backend: &Backend, place: &str, parameters: &str, settings: &str) -> Balancer {
    Balancer::start(&http(backend, place, parameters, settings))
}

fn http(backend: &Backend, place: &str, parameters: &str, settings: &str) -> String {
    format!(
        "proxy_cache_path {place} keys_zone=one:1m {parameters};
         server {{ listen LISTEN; location / {{ proxy_pass http://{}; proxy_cache one; proxy_cache_valid any 1m;
             add_header X-Cache $upstream_cache_status always; {settings} }} }}",
        backend.address
    )
}

fn status(answer: &Answer) -> &str {
    answer.headers["x-cache"].as_str()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

#[test]
fn answers_outlive_the_process() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    for (round, expected) in ["MISS", "HIT"].into_iter().enumerate() {
        let balancer = balancer(&backend, &place, "levels=1:2", "");
        for path in ["/small", "/other"] {
            let answer = get(balancer.address, path);
            assert_eq!((status(&answer), answer.body.as_str()), (expected, "a"), "{path} in round {round}");
        }
        assert_eq!(status(&get(balancer.address, "/small")), "HIT");
    }
    assert_eq!(backend.count(), 2);
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn a_large_answer_is_kept_whole_and_can_be_cut() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let whole = text(1_000_000);
    for (name, framing) in [("length", Framing::Length), ("chunks", Framing::Chunks(&[7, 5000]))] {
        backend.behave(Behaviour::Large(whole.len(), framing));
        let place = folder.path().join(name).display().to_string();
        let balancer = balancer(&backend, &place, "", "proxy_force_ranges on;");
        for expected in ["MISS", "HIT", "HIT"] {
            let answer = get(balancer.address, "/");
            assert_eq!(status(&answer), expected, "{name}");
            assert!(answer.body == whole, "{name}, {expected}");
        }
        if name == "length" {
            let mut client = Client::connect(balancer.address);
            client.send("GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=500000-500009\r\n\r\n");
            let part = client.receive().unwrap();
            assert_eq!((part.status, part.body.as_str()), (206, &whole[500_000..500_010]));
        }
    }
    assert_eq!(backend.count(), 2);
}

#[test]
fn a_damaged_file_is_a_miss() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    let balancer = balancer(&backend, &place, "levels=2", "");
    get(balancer.address, "/");
    let file = files(folder.path()).pop().unwrap();
    let sound = fs::read(&file).unwrap();
    let mut flipped = sound.clone();
    flipped[40] ^= 1;
    let longer = [sound.as_slice(), b"x"].concat();
    for (name, bytes) in [
        ("cut in the body", &sound[..sound.len() - 1]),
        ("cut in the head", &sound[..20]),
        ("empty", &[]),
        ("longer", &longer),
        ("a bit of the head", &flipped),
    ] {
        fs::write(&file, bytes).unwrap();
        let answer = get(balancer.address, "/");
        assert_eq!((status(&answer), answer.body.as_str()), ("MISS", "a"), "{name}");
        assert_eq!(status(&get(balancer.address, "/")), "HIT", "{name}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(status(&get(balancer.address, "/")), "MISS");
    assert_eq!(balancer.metric("lb_cache_evictions_total{zone=\"one\",reason=\"damaged\"}"), 5);
}

#[test]
fn an_answer_that_breaks_off_is_not_kept() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    let balancer = balancer(&backend, &place, "", "");
    backend.behave(Behaviour::LargeCut(500_000, 400_000));
    let mut client = Client::connect(balancer.address);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.receive_until_closed();
    eventually("nothing is left of it", || files(folder.path()).is_empty());
    backend.behave(Behaviour::Answer);
    assert_eq!(status(&get(balancer.address, "/")), "MISS");
    assert_eq!(status(&get(balancer.address, "/")), "HIT");
}

#[test]
fn a_thousand_clients_are_one_request() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    let balancer = balancer(
        &backend,
        &place,
        "",
        "proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s;",
    );
    backend.behave(Behaviour::Slow(std::time::Duration::from_secs(2)));
    let mut clients: Vec<Client> = (0..1000).map(|_| Client::connect(balancer.address)).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.receive().map(|answer| answer.body).as_deref(), Some("a"));
    }
    assert_eq!(backend.count(), 1);
    let hits = "lb_cache_requests_total{zone=\"one\",status=\"hit\"}";
    eventually("all are counted", || balancer.metric(hits) == 999);
}

#[test]
fn a_disk_that_takes_nothing_is_said_once_and_hinders_nobody() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let cache = folder.path().join("cache");
    let balancer = balancer(&backend, &cache.display().to_string(), "", "");
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "in the way").unwrap();
    for path in ["/a", "/a", "/b"] {
        let answer = get(balancer.address, path);
        assert_eq!((answer.status, status(&answer), answer.body.as_str()), (200, "MISS", "a"), "{path}");
    }
    eventually("all failures are counted", || balancer.metric("lb_cache_failures_total{zone=\"one\"}") == 3);
    assert_eq!(
        balancer.log().matches("are not kept until that works again").count(),
        1,
        "{}",
        balancer.log()
    );
    fs::remove_file(&cache).unwrap();
    assert_eq!(status(&get(balancer.address, "/a")), "MISS");
    eventually("it works again", || status(&get(balancer.address, "/a")) == "HIT");
}

#[test]
fn what_is_too_much_and_what_nobody_asks_for_goes() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    let balancer = balancer(&backend, &place, "max_size=12k inactive=2s", "");
    for number in 0..9 {
        get(balancer.address, &format!("/{number}"));
    }
    eventually("three blocks are left", || files(folder.path()).len() == 3);
    assert_eq!(balancer.metric("lb_cache_evictions_total{zone=\"one\",reason=\"size\"}"), 6);
    assert_eq!(balancer.metric("lb_cache_bytes{zone=\"one\"}"), 12 << 10);
    eventually("nothing is left", || files(folder.path()).is_empty());
    assert_eq!(balancer.metric("lb_cache_evictions_total{zone=\"one\",reason=\"inactive\"}"), 3);
}

#[test]
fn memory_keeps_answers_too() {
    let backend = Backend::start("a");
    let balancer = balancer(&backend, "memory:", "max_size=1m", "");
    for expected in ["MISS", "HIT", "HIT"] {
        let answer = get(balancer.address, "/");
        assert_eq!((status(&answer), answer.body.as_str()), (expected, "a"));
    }
    backend.behave(Behaviour::Large(600_000, Framing::Length));
    for path in ["/1", "/2", "/1"] {
        assert_eq!(status(&get(balancer.address, path)), "MISS", "{path}");
    }
    assert_eq!(backend.count(), 4);
}

#[test]
fn answers_are_purged() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = folder.path().join("cache").display().to_string();
    let balancer = balancer(&backend, &place, "", "proxy_cache_key $uri; proxy_cache_purge $arg_purge;");
    for path in ["/a/1", "/a/2", "/b"] {
        get(balancer.address, path);
    }
    for (path, expected) in
        [("/b?purge=1", 204), ("/b?purge=1", 404), ("/a/*?purge=1", 204), ("/a/*?purge=1", 404)]
    {
        assert_eq!(get(balancer.address, path).status, expected, "{path}");
    }
    for path in ["/a/1", "/a/2", "/b"] {
        assert_eq!(status(&get(balancer.address, path)), "MISS", "{path}");
    }
    assert_eq!(backend.count(), 6);
}

#[test]
fn a_reload_keeps_what_is_kept_and_refuses_another_folder() {
    let (backend, folder) = (Backend::start("a"), tempfile::tempdir().unwrap());
    let place = |name: &str| folder.path().join(name).display().to_string();
    let balancer = balancer(&backend, &place("cache"), "", "");
    get(balancer.address, "/");
    balancer.write(&http(&backend, &place("cache"), "max_size=1g", ""));
    balancer.reload("success");
    assert_eq!(status(&get(balancer.address, "/")), "HIT");
    balancer.write(&http(&backend, &place("other"), "", ""));
    balancer.reload("failure");
    balancer.says("cache path while previously it used the");
    assert_eq!(status(&get(balancer.address, "/")), "HIT");
    assert_eq!(backend.count(), 1);
}
