//! nginx's command line, exit codes and messages.

use std::net::TcpListener;
use std::process::Command;

use super::support::{Balancer, eventually, free_port, get, lb};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn versions_and_usage_errors() {
    let version = lb(&["-v"]);
    assert_eq!(version.status.code(), Some(0));
    let said = text(&version.stderr);
    let own = concat!(" (cirque/", env!("CARGO_PKG_VERSION"), ")\n");
    assert!(said.starts_with("nginx version: nginx/1.") && said.ends_with(own), "{said}");
    for (arguments, message) in [
        (&["-x"][..], "lb: invalid option: \"x\"\n"),
        (&["-c"], "lb: option \"-c\" requires file name\n"),
        (&["-s", "restart"], "lb: invalid option: \"-s restart\"\n"),
        (&["stray"], "lb: invalid option: \"stray\"\n"),
    ] {
        let output = lb(arguments);
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(1), message),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_allocator_stands_in_mallocs_place() {
    let nm =
        Command::new("nm").args(["--dynamic", "--defined-only", env!("CARGO_BIN_EXE_lb")]).output().unwrap();
    let defined = text(&nm.stdout);
    for name in ["malloc", "free", "realloc"] {
        assert!(
            defined.lines().any(|line| line.ends_with(&format!(" T {name}"))),
            "{name} is the C library's"
        );
    }
}

#[test]
fn a_test_names_every_mistake_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.conf");
    std::fs::write(
        &file,
        "events {}\nhttp {\n    sendfile on;\n    listne 80;\n    server { listen 99999; }\n}\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let output = lb(&["-t", "-c", file]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("[emerg] unknown directive \"listne\" in {file}:4")), "{said}");
    assert!(said.contains(&format!("in {file}:5")), "{said}");
    assert!(said.ends_with(&format!("lb: configuration file {file} test failed\n")), "{said}");
}

#[test]
fn a_good_file_passes_and_is_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("good.conf");
    let configuration = "events {}\nhttp {\n    access_log off;\n    sendfile on;\n    server { listen 127.0.0.1:8099; return 200 ok; }\n}\n";
    std::fs::write(&file, configuration).unwrap();
    let file = file.to_str().unwrap();
    let output = lb(&["-t", "-c", file]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("\"sendfile\" has no effect here"), "{said}");
    assert!(said.ends_with(&format!(
        "lb: the configuration file {file} syntax is ok\nlb: configuration file {file} test is successful\n"
    )));
    let dump = lb(&["-T", "-c", file]);
    assert_eq!(text(&dump.stdout), format!("# configuration file {file}:\n{configuration}\n"));
    assert!(lb(&["-tq", "-c", file]).stderr.is_empty());
}

#[test]
fn without_a_configuration_the_smallest_that_works_is_shown() {
    let output = lb(&["-c", "/nonexistent/nginx.conf"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("open() \"/nonexistent/nginx.conf\" failed (2: No such file or directory)"),
        "{said}"
    );
    assert!(said.contains("proxy_pass http://"), "{said}");
}

#[test]
fn an_address_in_use_ends_the_start_at_once_with_nginx_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nginx.conf");
    std::fs::write(
        &file,
        format!("daemon off; pid lb.pid; error_log stderr; events {{}} http {{ access_log off; server {{ listen {address}; return 200; }} }}"),
    )
    .unwrap();
    let output = lb(&["-p", directory.path().to_str().unwrap(), "-c", "nginx.conf"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("[emerg] ")
            && said.contains(&format!("bind() to {address} failed (98: Address already in use)")),
        "{said}"
    );
    assert!(!directory.path().join("lb.pid").exists());
}

#[test]
fn daemon_on_returns_when_bound_and_is_steered_by_its_pid_file() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = directory.path().join("nginx.conf");
    std::fs::write(
        &file,
        format!("daemon on; pid lb.pid; error_log error.log notice; events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; return 200 ok; }} }}"),
    )
    .unwrap();
    let prefix = directory.path().to_str().unwrap();
    let started = lb(&["-p", prefix, "-c", "nginx.conf"]);
    assert_eq!(started.status.code(), Some(0), "{}", text(&started.stderr));
    let pid_file = directory.path().join("lb.pid");
    eventually("the pid file appears", || pid_file.exists());
    assert_eq!(get(([127, 0, 0, 1], port).into(), "/").body, "ok");
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let log = || std::fs::read_to_string(directory.path().join("error.log")).unwrap_or_default();
    assert_eq!(lb(&["-p", prefix, "-c", "nginx.conf", "-s", "reload"]).status.code(), Some(0));
    eventually("it reloads", || log().contains("reconfigured"));
    assert_eq!(lb(&["-p", prefix, "-c", "nginx.conf", "-s", "quit"]).status.code(), Some(0));
    eventually("it ends", || {
        !Command::new("kill").args(["-0", pid.trim()]).output().unwrap().status.success()
    });
    assert!(!pid_file.exists());
    let none = lb(&["-p", prefix, "-c", "nginx.conf", "-s", "stop"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        text(&none.stderr).contains("lb.pid\" failed (2: No such file or directory)"),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn healthcheck_asks_the_admin_listener() {
    let balancer = Balancer::start("server { listen LISTEN; return 200 ok; }");
    let url = format!("http://{}/healthz", balancer.admin);
    assert_eq!(lb(&["healthcheck", &url]).status.code(), Some(0));
    drop(balancer);
    assert_eq!(lb(&["healthcheck", &url]).status.code(), Some(1));
}
