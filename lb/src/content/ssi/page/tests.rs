//! Pages in, what comes of them out.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::content::ssi::Parser;

struct Known;

impl Values for Known {
    fn value(&mut self, name: &str) -> Option<Vec<u8>> {
        match name {
            "uri" => Some(b"/dir/page.html".to_vec()),
            "arg_a" => Some(b"<1>&".to_vec()),
            "empty" => Some(Vec::new()),
            _ => None,
        }
    }
}

fn made(page: &str) -> String {
    let mut parser = Parser::new(256);
    let (mut parts, mut made) = (Vec::new(), Page::new(false));
    parser.push(page.as_bytes(), &mut parts);
    parts.extend(parser.finish());
    let mut out = String::new();
    for part in parts {
        match made.take(part, &mut Known) {
            Ok(Wanted::Nothing) => {}
            Ok(Wanted::Output(bytes)) => out.push_str(std::str::from_utf8(&bytes).unwrap()),
            Ok(Wanted::Include(Include { uri, set, stub })) => {
                out.push_str(&format!("[{}", uri.escape_ascii()));
                out.extend(set.iter().map(|name| format!(" into {name}")));
                out.extend(stub.iter().map(|text| format!(" else {}", text.escape_ascii())));
                out.push(']');
            }
            Err(complaint) => out.push_str(&format!("({complaint})")),
        }
    }
    out
}

#[test]
fn commands_do_what_nginx_says() {
    for (page, expected) in [
        ("<!--#echo var=\"arg_a\" -->", "&lt;1&gt;&amp;"),
        ("<!--#echo var=\"arg_a\" encoding=\"none\" -->", "<1>&"),
        ("<!--#echo var=\"arg_a\" encoding=\"url\" -->", "%3C1%3E&"),
        ("<!--#echo var=\"nothing\" -->", "(none)"),
        ("<!--#echo var=\"nothing\" default=\"x\" -->", "x"),
        ("<!--#echo var=\"empty\" -->.", "."),
        ("<!--#set var=\"x\" value=\"a$uri-${x}\\$\" --><!--#echo var=\"X\" -->", "a/dir/page.html-$"),
        ("<!--#include virtual=\"/a?b=$arg_a\" -->", "[/a?b=<1>&]"),
        ("<!--#include file=\"b.html\" -->", "[/dir/b.html]"),
        ("<!--#include virtual=\"/a\" set=\"Y\" wait=\"yes\" -->", "[/a into y]"),
        (
            "<!--#block name=\"s\" -->stub <!--#echo var=\"uri\" --><!--#endblock --><!--#include virtual=\"/a\" stub=\"s\" -->",
            "[/a else stub ]",
        ),
        ("<!--#include virtual=\"/a\" stub=\"s\" -->", "(\"stub\"=\"s\" for \"include\" not found)"),
        ("<!--#include -->", "(no parameter in \"include\" SSI command)"),
        ("<!--#echo -->", "(mandatory \"var\" parameter is absent in \"echo\" SSI command)"),
        ("<!--#exec cmd=\"x\" -->", "(invalid SSI command: \"exec\")"),
        ("<!--#if expr=\"$empty\" -->1<!--#elif expr=\"$uri\" -->2<!--#else -->3<!--#endif -->4", "24"),
        ("<!--#if expr=\"$empty\" -->1<!--#else -->3<!--#endif -->", "3"),
        (
            "<!--#if expr=\"$uri = /dir/page.html\" -->1<!--#endif -->",
            "(invalid expression in \"/dir/page.html\")1(invalid context of SSI command: \"endif\")",
        ),
        ("<!--#if expr=\"$arg_a != x\" -->1<!--#else -->2<!--#endif -->", "1"),
        ("<!--#if expr=\"$uri = /p(.)ge/\" -->1<!--#echo var=\"1\" --><!--#endif -->", "1a"),
        ("<!--#if expr=\"$uri != /P(.)GE/i\" -->1<!--#else -->2<!--#endif -->", "2"),
        (
            "<!--#if -->1<!--#endif -->",
            "(mandatory \"expr\" parameter is absent in \"if\" SSI command)1(invalid context of SSI command: \"endif\")",
        ),
        ("<!--#endif -->", "(invalid context of SSI command: \"endif\")"),
        ("<!--#if expr=\"$empty\" --><!--#include virtual=\"/a\" --><!--#endif -->", ""),
    ] {
        assert_eq!(made(page), expected, "{page}");
    }
}

#[test]
fn the_text_of_an_error_is_the_pages_own() {
    let mut page = Page::new(false);
    assert_eq!(page.error(), ERROR);
    let command =
        Command { name: (*b"config").into(), parameters: vec![((*b"errmsg").into(), (*b"oops").into())] };
    assert_eq!(page.take(Part::Command(command), &mut Known), Ok(Wanted::Nothing));
    assert_eq!(page.error(), "oops");
    assert_eq!(Page::new(true).error(), "");
}
