//! Static files through the whole program: whole, in parts, at a limited rate, and what the log has of them.

use std::path::Path;
use std::time::{Duration, Instant};

use super::support::*;

/// A balancer whose `root` is a directory with these files.
fn site(files: &[(&str, &[u8])], inside: &str) -> (tempfile::TempDir, Balancer) {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let root = directory.path().display();
    let balancer = Balancer::start(&format!("server {{ listen LISTEN; root {root}; {inside} }}"));
    (directory, balancer)
}

fn asked(balancer: &Balancer, path: &str, field: &str) -> Vec<u8> {
    let mut client = Client::connect(balancer.address);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{field}Connection: close\r\n\r\n"));
    client.receive_until_closed().1
}

#[test]
fn a_large_file_arrives_whole_and_in_parts() {
    let large: Vec<u8> = (0..1_000_003_u32).map(|at| (at % 251) as u8).collect();
    let (_directory, balancer) = site(&[("large", &large)], "");
    assert!(asked(&balancer, "/large", "") == large);
    assert!(asked(&balancer, "/large", "Range: bytes=65000-200000\r\n") == large[65_000..=200_000]);
    let parts = asked(&balancer, "/large", "Range: bytes=0-99,900000-\r\n");
    assert!(parts.windows(100).any(|part| part == &large[..100]));
    assert!(parts.windows(100_003).any(|part| part == &large[900_000..]));
}

#[test]
fn nothing_outside_the_root_is_served() {
    let (directory, _) = site(&[("www/a", b"a"), ("secret", b"secret")], "");
    let www = directory.path().join("www");
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; root {0}; location /x {{ alias {0}/; }} location /y/ {{ alias {0}/$arg_f; }} }}",
        www.display()
    ));
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/x../secret",
        "/y/?f=../secret",
        "/y/..%2fsecret",
        "/y/secret?f=../",
    ] {
        let answer = asked(&balancer, path, "");
        assert!(!answer.ends_with(b"secret"), "{path}");
    }
    assert_eq!(asked(&balancer, "/xa", ""), b"a");
}

#[test]
fn limit_rate_holds() {
    let (_directory, balancer) = site(&[("a", &[b'x'; 1500])], "limit_rate $arg_r;");
    let began = Instant::now();
    assert_eq!(asked(&balancer, "/a?r=3k", "").len(), 1500);
    assert!(began.elapsed() >= Duration::from_millis(350), "{:?}", began.elapsed());
}

#[test]
fn what_is_missing_is_logged_in_nginxs_words() {
    let (directory, balancer) = site(&[("a", b"a")], "location /quiet/ { log_not_found off; }");
    assert_eq!(get(balancer.address, "/none").status, 404);
    let path = |name: &str| Path::new(directory.path()).join(name).display().to_string();
    balancer.says(&format!("open() \"{}\" failed (2: No such file or directory), client: ", path("none")));
    assert_eq!(get(balancer.address, "/quiet/none").status, 404);
    assert_eq!(get(balancer.address, "/").status, 403);
    balancer.says(&format!("directory index of \"{}\" is forbidden, client: ", path("")));
    assert!(!balancer.log().contains("quiet/none\" failed"));
}
