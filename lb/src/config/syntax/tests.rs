use super::*;

fn parsed(text: &[u8], origin: Origin) -> (Vec<Directive>, Vec<String>) {
    let mut report = Report::default();
    let tree = parse(&Arc::from("f"), text, origin, 0, &mut report);
    let findings = report.into_ordered(&[std::path::Path::new("f")]);
    (tree, findings.iter().map(ToString::to_string).collect())
}

/// The tree on one line: words in brackets, blocks in braces.
fn shape(tree: &[Directive]) -> String {
    let mut out = String::new();
    for directive in tree {
        out.push_str(&format!("[{}]", directive.name));
        for word in directive.words() {
            out.push_str(&format!("[{word}]"));
        }
        match &directive.block {
            Some(block) => out.push_str(&format!("{{{}}}", shape(block))),
            None => out.push(';'),
        }
    }
    out
}

#[track_caller]
fn reads(text: &str, expected: &str) {
    let (tree, findings) = parsed(text.as_bytes(), Origin::File);
    assert_eq!(shape(&tree), expected, "{text:?}");
    assert_eq!(findings, Vec::<String>::new(), "{text:?}");
}

#[track_caller]
fn complains(text: &str, expected_tree: &str, expected: &[&str]) {
    let (tree, findings) = parsed(text.as_bytes(), Origin::File);
    assert_eq!(findings, expected, "{text:?}");
    assert_eq!(shape(&tree), expected_tree, "{text:?}");
}

#[test]
fn words_end_where_nginx_ends_them() {
    reads("a b c;d;", "[a][b][c];[d];");
    reads("a\tb\r\n  c ;", "[a][b][c];");
    reads("a b{c;}", "[a][b]{[c];}");
    reads("a b}c;", "[a][b}c];");
    complains(
        "a $b{c};",
        "[a][$b]{[c}];}",
        &["[emerg] unexpected end of file, expecting \"}\" in f:1 (the block \"a\" of line 1 is not closed)"],
    );
}

#[test]
fn quotes_begin_only_where_a_word_does() {
    reads(r#"a "b c" 'd;e' "";"#, "[a][b c][d;e][];");
    reads(r#"a b"c"d;"#, r#"[a][b"c"d];"#);
    reads(r#""a" b;"#, "[a][b];");
    reads("a \"b\nc\";", "[a][b\nc];");
    reads("a \"{#;}\";", "[a][{#;}];");
    reads(r#"if ($a = "b") { c; }"#, "[if][($a][=][b][)]{[c];}");
}

#[test]
fn escapes_are_nginxs_six() {
    reads(r#"a "\"\'\\" '\"\'\\';"#, r#"[a]["'\]["'\];"#);
    reads(r"a \t\r\n;", "[a][\t\r\n];");
    reads(r"a ^\d+\.$ b\;c d\ e \{;", r"[a][^\d+\.$][b\;c][d\ e][\{];");
}

#[test]
fn braces_after_a_dollar_belong_to_the_word() {
    reads("a ${b}c;", "[a][${b}c];");
    reads("a x${b} {c;}", "[a][x${b}]{[c];}");
    reads("a ${{b};", "[a][${{b}];");
}

#[test]
fn comments_begin_only_where_a_word_does() {
    reads("a b; # c; d\ne;", "[a][b];[e];");
    reads("a b;# c\ne;", "[a][b];[e];");
    reads("a {# c }\n}", "[a]{}");
    reads("a b#c;", "[a][b#c];");
    reads("a # b ; \n c;", "[a][c];");
    reads("a '#b';", "[a][#b];");
    reads("# only", "");
}

#[test]
fn our_comments_are_read() {
    reads("#lb: a b;\nc;", "[a][b];[c];");
    reads("a { #lb: b;\n}", "[a]{[b];}");
    reads("#lb: a {\n#lb:   b; # why\n#lb: }\n", "[a]{[b];}");
    reads("a b #lb: c\n;", "[a][b][c];");
    reads("a '#lb: b';", "[a][#lb: b];");
    reads("# lb: a;\n#LB: b;\n##lb: c;", "");
    let (tree, _) = parsed(b"\n#lb: a\n  b;", Origin::File);
    assert_eq!((tree[0].position.line, tree[0].arguments[0].line), (2, 3));
}

#[test]
fn reading_goes_on_after_a_mistake() {
    complains(
        "a } b;",
        "[a];[b];",
        &[
            "[emerg] unexpected \"}\" in f:1 (a \";\" is missing at the end of line 1)",
            "[emerg] unexpected \"}\" in f:1",
        ],
    );
    complains(
        "a {\n b\n}\nc;",
        "[a]{[b];}[c];",
        &["[emerg] unexpected \"}\" in f:3 (a \";\" is missing at the end of line 2)"],
    );
    complains(";\na;", "[a];", &["[emerg] unexpected \";\" in f:1"]);
    complains("{ a; } b;", "[]{[a];}[b];", &["[emerg] unexpected \"{\" in f:1"]);
    complains("a 'b'c;", "[a][b][c];", &["[emerg] unexpected \"c\" in f:1"]);
    complains(
        "a {b 'c'}",
        "[a]{[b][c];}",
        &["[emerg] unexpected \"}\" in f:1 (a \";\" is missing at the end of line 1)"],
    );
}

#[test]
fn an_early_end_says_what_is_open() {
    complains(
        "a {\n b {\n c;\n",
        "[a]{[b]{[c];}}",
        &["[emerg] unexpected end of file, expecting \"}\" in f:4 (the block \"b\" of line 2 is not closed)"],
    );
    complains("a b", "[a];", &["[emerg] unexpected end of file, expecting \";\" or \"}\" in f:1"]);
    complains(
        "a\n\"b;\n",
        "[a];",
        &[
            "[emerg] unexpected end of file, expecting \";\" or \"}\" in f:3 (the quote opened in line 2 is not closed)",
        ],
    );
    complains("a \\", "[a];", &["[emerg] unexpected end of file, expecting \";\" or \"}\" in f:1"]);
}

#[test]
fn the_command_line_has_no_blocks_and_no_lines() {
    let (tree, findings) = parsed(b"daemon off; pid\nx;", Origin::CommandLine);
    assert_eq!((shape(&tree).as_str(), findings.len()), ("[daemon][off];[pid][x];", 0));
    assert_eq!(tree[1].position.line, 0);
    let (_, findings) = parsed(b"daemon off", Origin::CommandLine);
    assert_eq!(findings, ["[emerg] unexpected end of parameter, expecting \";\" in f"]);
    let (_, findings) = parsed(b"events { }", Origin::CommandLine);
    assert_eq!(findings, ["[emerg] block directives are not supported in -g option in f"]);
}

#[test]
fn depth_is_bounded_and_said_once() {
    let text = format!("{}{}b;", "a {".repeat(100_000), "}".repeat(100_000));
    let (tree, findings) = parsed(text.as_bytes(), Origin::File);
    assert_eq!(findings, ["[emerg] blocks are nested more than 64 deep in f:1"]);
    assert_eq!(tree.len(), 2, "what follows is read again");
    let (_, findings) = parsed("a {".repeat(100_000).as_bytes(), Origin::File);
    assert_eq!(findings.len(), 2, "and the missing end is told: {findings:?}");
}

#[test]
fn bytes_that_are_not_utf8_are_named_where_they_matter() {
    let (tree, findings) = parsed(b"# \xff\na \xffb;", Origin::File);
    assert_eq!(findings, ["[emerg] \"\u{fffd}b\" is not valid UTF-8 in f:2"]);
    assert_eq!(tree.len(), 1);
    reads("a é;", "[a][é];");
}
