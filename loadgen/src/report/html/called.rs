//! The command line as a report may show it: as it could be typed again, but without what is nobody's business.

/// Words in the name of a header whose value is a secret; reports are passed on.
const SECRET: [&str; 7] = ["auth", "cookie", "key", "passw", "secret", "session", "token"];

/// The command line in one line. Arguments are quoted where a shell would take them apart; values of headers that carry
/// secrets are left out, as is a password in a URL.
pub fn called(arguments: impl IntoIterator<Item = String>) -> String {
    let words: Vec<String> = arguments
        .into_iter()
        .enumerate()
        .map(|(index, argument)| match index {
            0 => program(&argument),
            _ => quoted(&without_password(&without_secret(&argument))),
        })
        .collect();
    words.join(" ")
}

/// Where the program lies says something about a machine, and nothing about the run.
fn program(path: &str) -> String {
    quoted(path.rsplit('/').next().unwrap_or(path))
}

/// Wherever a header stands (`-H 'A: b'`, `-HA:b`, `--header=A:b`), it is a name, a colon and a value in one argument.
fn without_secret(argument: &str) -> String {
    let Some((name, value)) = argument.split_once(':') else { return argument.to_owned() };
    // The part behind a colon of a URL is none.
    let is_header = !value.starts_with("//");
    let lower = name.to_ascii_lowercase();
    if is_header && SECRET.iter().any(|word| lower.contains(word)) {
        format!("{name}: …")
    } else {
        argument.to_owned()
    }
}

fn without_password(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else { return argument.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{path}"),
        None => argument.to_owned(),
    }
}

fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+…".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let table: &[(&[&str], &str)] = &[
            (
                &["/usr/local/bin/loadgen", "-n", "1000", "-u", "http://a:80/?x=1"],
                "loadgen -n 1000 -u 'http://a:80/?x=1'",
            ),
            (&["loadgen", "--at", "10s", "docker kill b2"], "loadgen --at 10s 'docker kill b2'"),
            (&["loadgen", "--slo", "p99<20ms", "it's", ""], r"loadgen --slo 'p99<20ms' 'it'\''s' ''"),
        ];
        for (arguments, expected) in table {
            assert_eq!(called(arguments.iter().map(|argument| (*argument).to_owned())), *expected);
        }
    }

    #[test]
    fn secrets_stay_where_they_are() {
        for (argument, expected) in [
            ("Authorization: Bearer 123", "'Authorization: …'"),
            ("--header=X-Api-Key:123", "'--header=X-Api-Key: …'"),
            ("-HCookie:a=b", "'-HCookie: …'"),
            ("Accept: text/html", "'Accept: text/html'"),
            ("http://user:word@host:80/path", "http://…@host:80/path"),
            ("--url=http://token.example/", "--url=http://token.example/"),
        ] {
            assert_eq!(called(["loadgen".to_owned(), argument.to_owned()]), format!("loadgen {expected}"));
        }
    }
}
