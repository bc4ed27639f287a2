use super::*;

/// Made by crypt(3) and `openssl passwd`.
const MADE: &[(&str, &str)] = &[
    ("secret", "abNANd1rDfiNc"),
    ("a longer password", "./lsDnckUAtiM"),
    ("a longer one", "./lsDnckUAtiM"),
    ("", "zZO7u0HfQST3A"),
    ("x", "plY2Q82LqpBaA"),
    ("Grüße!", "$1$saltsalt$CyCtwpwNMyXYrb6gAx0vD."),
    ("a password of more than sixteen letters", "$1$x$7lK4wZC3oaU0YaSVzqZy2."),
    ("secret", "$5$rounds=1000$saltstring$AH5PD0i.riCRu4BNDy9v7OPV7u3dfLBApcXI6khquVA"),
    ("secret", "$5$abc$qsg6EHbUzHQzF1POlD7zUwBINSELQxypPaeDcZe6vH0"),
    (
        "secret",
        "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.",
    ),
    ("secret", "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
    ("secret", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"),
    ("secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
    ("secret", "$y$j75$abcdefghijklmno.$Pn8sxQPHVTdAnM9GGNj8GPFUmfKJYY0lO2Oh12De2yB"),
    ("secret", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"),
    ("a password of more than sixteen letters", "$apr1$x$IvoVrqqic3TU9DxEs5shC."),
    ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
    ("secret", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"),
    ("secret", "{PLAIN}secret"),
    ("", "{PLAIN}"),
];

#[test]
fn each_hash_knows_its_password_and_no_other() {
    for (password, kept) in MADE {
        assert_eq!(verify(password.as_bytes(), kept.as_bytes()), Verified::Right, "{kept}");
        let other = format!("!{password}");
        assert_eq!(verify(other.as_bytes(), kept.as_bytes()), Verified::Wrong, "{kept}");
    }
}

#[test]
fn what_is_no_hash_knows_no_password() {
    for kept in [
        "",
        "!",
        "!!",
        "*",
        "x",
        "$",
        "$9$abc",
        "$1$",
        "$5$",
        "$2b$04$abc",
        "$2b$99$abcdefghijklmnopqrstuu",
        "$y$",
        "$apr1$",
        "{SHA}",
        "{SSHA}",
        "{SSHA}AAAA",
        "{SSHA}!",
        "{PLAI}x",
        "ab",
        "ab\u{e9}",
        "é",
    ] {
        assert_eq!(verify(b"x", kept.as_bytes()), Verified::Wrong, "{kept}");
    }
    assert_eq!(verify(b"x", b"\xff\xfe"), Verified::Wrong);
    for kept in ["$7$x", "$gy$x", "$sha1$x", "_J9..rasm"] {
        assert_eq!(verify(b"x", kept.as_bytes()), Verified::Unsupported, "{kept}");
    }
}

#[test]
fn the_first_line_of_a_user_counts() {
    let file = b"# a comment\n#no:1\n\nann:1\nbob:2:Bob's\nann:3\r\nbo:4\r\n:5\nlast:6";
    for (user, kept) in [
        ("ann", Some("1")),
        ("bob", Some("2")),
        ("bo", Some("4")),
        ("", Some("5")),
        ("last", Some("6")),
        ("b", None),
        ("#no", None),
        ("ann:1", None),
        ("nobody", None),
    ] {
        assert_eq!(kept_of(file, user.as_bytes()), kept.map(str::as_bytes), "{user}");
    }
}
