use super::*;

fn surroundings() -> Surroundings {
    Surroundings { directory: PathBuf::from("/srv"), admin: None }
}

fn parsed(arguments: &[&str]) -> Result<Invocation, UsageError> {
    parse(arguments.iter().map(OsString::from), &surroundings())
}

fn options() -> Options {
    Options {
        prefix: PathBuf::from("/srv"),
        configuration: PathBuf::from(DEFAULT_CONFIGURATION),
        error_log: LogDestination::Stderr,
        directives: String::new(),
        admin: None,
    }
}

#[test]
fn the_letters_choose_the_command() {
    use Command::{Run, ShowOnly, Signal};
    let test = |dump, quiet| Command::Test { dump, quiet };
    let ask = |url: Option<&str>| Command::Healthcheck { url: url.map(str::to_owned) };
    for (arguments, show, command) in [
        (&[][..], None, Run),
        (&["-"], None, Run),
        (&["-q"], None, Run),
        (&["-t"], None, test(false, false)),
        (&["-tq"], None, test(false, true)),
        (&["-t", "-q"], None, test(false, true)),
        (&["-t", "-t"], None, test(false, false)),
        (&["-T"], None, test(true, false)),
        (&["-v"], Some(Show::Version), ShowOnly),
        (&["--version"], Some(Show::Version), ShowOnly),
        (&["-V"], Some(Show::Build), ShowOnly),
        (&["-vV"], Some(Show::Build), ShowOnly),
        (&["-h"], Some(Show::Help), ShowOnly),
        (&["-?"], Some(Show::Help), ShowOnly),
        (&["--help"], Some(Show::Help), ShowOnly),
        (&["-vt"], Some(Show::Version), test(false, false)),
        (&["-v", "-s", "stop"], Some(Show::Version), ShowOnly),
        (&["-s", "stop"], None, Signal(SignalRequest::Stop)),
        (&["-squit"], None, Signal(SignalRequest::Quit)),
        (&["-s", "reload"], None, Signal(SignalRequest::Reload)),
        (&["-s", "reopen"], None, Signal(SignalRequest::Reopen)),
        (&["-s", "stop", "-s", "quit"], None, Signal(SignalRequest::Quit)),
        (&["-t", "-s", "reload"], None, test(false, false)),
        (&["healthcheck"], None, ask(None)),
        (&["healthcheck", "http://h/"], None, ask(Some("http://h/"))),
    ] {
        let invocation = parsed(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!((invocation.show, &invocation.command), (show, &command), "{arguments:?}");
        assert_eq!(invocation.options, options(), "{arguments:?}");
    }
}

#[test]
fn values_may_touch_their_letter_and_begin_at_the_prefix() {
    let file = |path: &str| LogDestination::File(PathBuf::from(path));
    for (arguments, expected) in [
        (&["-c", "a.conf"][..], Options { configuration: "/srv/a.conf".into(), ..options() }),
        (&["-ca.conf"], Options { configuration: "/srv/a.conf".into(), ..options() }),
        (&["-qca.conf"], Options { configuration: "/srv/a.conf".into(), ..options() }),
        (&["-c", "-t"], Options { configuration: "/srv/-t".into(), ..options() }),
        (&["-c", "healthcheck"], Options { configuration: "/srv/healthcheck".into(), ..options() }),
        (&["-c", "a", "-c", "b"], Options { configuration: "/srv/b".into(), ..options() }),
        (&["-c", "/etc/a.conf"], Options { configuration: "/etc/a.conf".into(), ..options() }),
        (&["-p", "demo"], Options { prefix: "demo".into(), ..options() }),
        (&["-p", ""], options()),
        (
            &["-p", "/srv/", "-c", "a", "-e", "b"],
            Options {
                prefix: "/srv/".into(),
                configuration: "/srv/a".into(),
                error_log: file("/srv/b"),
                ..options()
            },
        ),
        (&["-e", "stderr"], options()),
        (&["-e", "/dev/stdout"], Options { error_log: file("/dev/stdout"), ..options() }),
        (&["-g", "daemon off;"], Options { directives: "daemon off;".into(), ..options() }),
        (&["-g", "--x"], Options { directives: "--x".into(), ..options() }),
        (&["--admin", "127.0.0.1:1"], Options { admin: "127.0.0.1:1".parse().ok(), ..options() }),
        (&["--admin=[::1]:1"], Options { admin: "[::1]:1".parse().ok(), ..options() }),
        (&["--admin", "localhost:1"], Options { admin: "127.0.0.1:1".parse().ok(), ..options() }),
        (&["--admin", ""], options()),
    ] {
        let invocation = parsed(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!(invocation.options, expected, "{arguments:?}");
        assert_eq!(invocation.command, Command::Run, "{arguments:?}");
    }
}

#[test]
fn complaints_are_nginxs() {
    for (arguments, message) in [
        (&["-x"][..], "invalid option: \"x\""),
        (&["-vx"], "invalid option: \"x\""),
        (&["x"], "invalid option: \"x\""),
        (&["-tT", "x"], "invalid option: \"x\""),
        (&["--"], "invalid option: \"-\""),
        (&["--foo"], "invalid option: \"--foo\""),
        (&["-c"], "option \"-c\" requires file name"),
        (&["-tq", "-c"], "option \"-c\" requires file name"),
        (&["-e"], "option \"-e\" requires file name"),
        (&["-p"], "option \"-p\" requires directory name"),
        (&["-g"], "option \"-g\" requires parameter"),
        (&["-s"], "option \"-s\" requires parameter"),
        (&["-s", "x"], "invalid option: \"-s x\""),
        (&["-s", ""], "invalid option: \"-s \""),
        (&["--admin"], "option \"--admin\" requires address and port"),
        (
            &["--admin", "9145"],
            "invalid address \"9145\" in \"--admin\": expected ADDRESS:PORT, such as 127.0.0.1:9145, [::1]:9145 or \
             localhost:9145",
        ),
        (&["healthcheck", "a", "b"], "invalid option: \"b\""),
        (&["healthcheck", "-t"], "invalid option: \"-t\""),
    ] {
        assert_eq!(parsed(arguments).unwrap_err().to_string(), message, "{arguments:?}");
    }
}

#[test]
fn the_environment_stands_in_for_the_admin_option() {
    let with = |variable: &str, arguments: &[&str]| {
        let surroundings = Surroundings { admin: Some(variable.into()), ..surroundings() };
        parse(arguments.iter().map(OsString::from), &surroundings).map(|parsed| parsed.options.admin)
    };
    assert_eq!(with("0.0.0.0:9145", &[]), Ok("0.0.0.0:9145".parse().ok()));
    assert_eq!(with("0.0.0.0:9145", &["--admin", "127.0.0.1:1"]), Ok("127.0.0.1:1".parse().ok()));
    assert_eq!(with("", &[]), Ok(None));
    let error = with("nonsense", &[]).unwrap_err().to_string();
    assert!(error.starts_with("invalid address \"nonsense\" in \"LB_ADMIN\": "), "{error}");
}

#[test]
fn a_path_need_not_be_utf8_but_directives_must() {
    let bytes = OsString::from_vec(b"a\xff".to_vec());
    let parse = |option: &str| parse([OsString::from(option), bytes.clone()], &surroundings());
    assert_eq!(parse("-c").unwrap().options.configuration, Path::new("/srv").join(&bytes));
    assert_eq!(parse("-g"), Err(UsageError::Encoding));
    assert_eq!(parse("-s"), Err(UsageError::Signal("a\u{fffd}".to_owned())));
}

#[test]
fn the_help_lists_every_letter() {
    let help = help_text();
    assert!(help.starts_with(&version_text()));
    for letter in
        ["-?,-h", "-v", "-V", "-t", "-T", "-q", "-s ", "-p ", "-e ", "-c ", "-g ", "--admin ", "healthcheck"]
    {
        assert!(help.lines().any(|line| line.trim_start().starts_with(letter)), "{letter} in {help}");
    }
    assert!(help.lines().all(|line| line.len() <= 80), "{help}");
}

#[test]
fn the_version_has_the_form_that_tools_read_of_nginx() {
    let version = version_text();
    let number =
        version.strip_prefix("nginx version: nginx/").and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(number.split('.').filter_map(|part| part.parse::<u32>().ok()).count() == 3, "{version}");
    assert!(version.ends_with(&format!(" (cirque/{})\n", env!("CARGO_PKG_VERSION"))), "{version}");
    let build = build_text();
    assert!(build.starts_with(&version), "{build}");
    assert!(build.contains("built by rustc 1.") && build.contains("built with Pingora 0."), "{build}");
    let arguments = build.lines().last().and_then(|line| line.strip_prefix("configure arguments: ")).unwrap();
    let has = |word: &str| arguments.split(' ').any(|argument| argument == word);
    assert!(has("--without-http_fastcgi_module") && !has("--without-http_proxy_module"), "{arguments}");
    assert!(!arguments.contains("http_upstream_hash_module"), "{arguments}");
    assert_eq!(has("--without-http_access_module"), !crate::config::implements("deny"), "{arguments}");
    for (directive, module) in [("ssl_certificate", "http_ssl_module"), ("gunzip", "http_gunzip_module")] {
        let there = crate::config::implements(directive);
        assert_eq!(has(&format!("--with-{module}")), there, "{arguments}");
    }
    assert_eq!(build.contains("TLS SNI support enabled"), crate::config::implements("ssl_certificate"));
}
