use std::{net::TcpListener, process::Output};

use crate::{
    client::fetch,
    server::{Server, program},
};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    program().args(arguments).envs(environment.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_names_every_switch_and_endpoint() {
    let output = run(&["--help"], &[]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in [
        "A demo HTTP server",
        "--port",
        "--name",
        "--bind",
        "--workers",
        "--faults",
        "healthcheck",
        "APP_PORT",
        "BACKEND_NAME",
        "/rps-display",
        "/bytes/N",
    ] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
    assert_eq!(text(&run(&["--version"], &[]).stdout), concat!("backend ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_cannot_be_used_ends_the_start_with_a_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let in_use = format!("failed to listen on 127.0.0.1:{port}: Address already in use");
    for (arguments, environment, reason) in [
        (vec!["--port", "70000"], vec![], "\"70000\" is not a port: expected a number from 0 to 65535"),
        (vec!["--prot", "1"], vec![], "'--prot' which wasn't expected"),
        (vec!["extra"], vec![], "'extra' which wasn't expected"),
        (vec![], vec![("APP_PORT", "5001/tcp")], "environment variable APP_PORT: \"5001/tcp\" is not a port"),
        (
            vec![],
            vec![("BACKEND_NAME", "a\nb")],
            "environment variable BACKEND_NAME: \"a\\nb\" cannot be a name",
        ),
        (vec!["--bind", "127.0.0.1", "--port", &port], vec![], &in_use),
    ] {
        let output = run(&arguments, &environment);
        let message = text(&output.stderr);
        assert!(message.contains(reason), "{arguments:?} {environment:?}: {message:?}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {environment:?}");
    }
}

#[test]
fn names_come_from_the_line_the_environment_or_the_host() {
    let named = |name: Option<&str>, arguments: &[&str]| {
        let mut program = program();
        program.envs(name.map(|name| ("BACKEND_NAME", name)));
        let server = Server::start_with(&mut program, "127.0.0.1", arguments);
        fetch(server.address, "/").header("x-backend").unwrap().to_owned()
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(named(Some("from-environment"), &["--name", "typed"]), "typed");
    assert_eq!(named(Some("from-environment"), &[]), "from-environment");
    assert_eq!(named(Some(""), &[]), host.trim());
    assert_eq!(named(None, &[]), host.trim());
}

#[test]
fn ipv6_is_served_where_there_is_any() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    for bind in ["::1", "[::1]"] {
        let server = Server::start_with(&mut program(), bind, &[]);
        assert!(server.address.is_ipv6());
        assert_eq!(fetch(server.address, "/").status, 200);
    }
}

#[test]
fn health_checks_answer_by_their_exit_code() {
    let server = Server::start(&[]);
    let port = server.address.port().to_string();
    let url = format!("http://127.0.0.1:{port}");
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/health", listener.local_addr().unwrap())
    };
    for (arguments, environment, code, complaint) in [
        (vec!["healthcheck", &*format!("{url}/health")], vec![], 0, ""),
        (vec!["healthcheck", &url], vec![], 0, ""),
        (vec!["healthcheck"], vec![("APP_PORT", &*port)], 0, ""),
        (vec!["--port", &port, "healthcheck"], vec![], 0, ""),
        (vec!["healthcheck", &format!("{url}/nowhere")], vec![], 1, "HTTP/1.1 404 Not Found"),
        (vec!["healthcheck", &dead], vec![], 1, "refused"),
        (vec!["healthcheck", "https://localhost"], vec![], 1, "expected http://HOST"),
    ] {
        let output = run(&arguments, &environment);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(complaint), "{arguments:?}: {}", text(&output.stderr));
    }
    assert_eq!(server.counted(), 1, "only the one that asked for /");
}
