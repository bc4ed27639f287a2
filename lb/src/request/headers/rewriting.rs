//! A server's redirects and cookies, made those of this program: nginx's `proxy_redirect` and `proxy_cookie_*`.

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION, REFRESH, SET_COOKIE};

use super::Fields;
use crate::config::model::{
    CookieFlag, CookieFlags, FieldName, FlagChange, Matched, Proxy, ProxySettings, Substitute, Substitution,
};
use crate::script::Values;

static LOCATION_NAME: FieldName = FieldName::known(LOCATION, "Location");
static REFRESH_NAME: FieldName = FieldName::known(REFRESH, "Refresh");
static SET_COOKIE_NAME: FieldName = FieldName::known(SET_COOKIE, "Set-Cookie");

/// Rewrites `Location` and the URL in a `Refresh` by the first rule that matches. A `Location` that becomes a path is made
/// absolute with `origin`, as nginx does.
pub(super) fn redirects<F: Fields>(
    answer: &mut F,
    proxy: &Proxy,
    values: &mut dyn Values,
    origin: Option<Vec<u8>>,
) -> Result<(), F::Error> {
    let location = answer.map().get(LOCATION).map(HeaderValue::as_bytes);
    if let Some(mut url) = location.and_then(|url| first_prefix(&proxy.redirects, url, values)) {
        if let (Some(b'/'), Some(origin)) = (url.first(), origin) {
            url.splice(..0, origin);
        }
        set(answer, &LOCATION_NAME, url)?;
    }
    let refresh = answer.map().get(REFRESH).map(HeaderValue::as_bytes);
    let is_url = |window: &[u8]| window.eq_ignore_ascii_case(b"url=");
    if let Some((refresh, named)) =
        refresh.and_then(|value| Some((value, value.windows(4).position(is_url)?)))
    {
        let (before, url) = refresh.split_at(named + 4);
        if let Some(url) = first_prefix(&proxy.redirects, url, values) {
            let value = [before, &url].concat();
            set(answer, &REFRESH_NAME, value)?;
        }
    }
    Ok(())
}

fn set<F: Fields>(answer: &mut F, name: &FieldName, value: Vec<u8>) -> Result<(), F::Error> {
    match HeaderValue::from_maybe_shared(Bytes::from(value)) {
        Ok(value) => answer.set(name, value),
        // What no field can hold is not put there.
        Err(_) => Ok(()),
    }
}

/// Whether any cookie may be changed.
pub(super) fn touches_cookies(settings: &ProxySettings) -> bool {
    !(settings.cookie_domains.is_empty()
        && settings.cookie_paths.is_empty()
        && settings.cookie_flags.is_empty())
}

/// Rewrites every `Set-Cookie`.
pub(super) fn cookies<F: Fields>(
    answer: &mut F,
    settings: &ProxySettings,
    values: &mut dyn Values,
) -> Result<(), F::Error> {
    let mut changed = false;
    let cookies = answer.map().get_all(SET_COOKIE).iter();
    let rewritten: Vec<HeaderValue> = cookies
        .map(|cookie| match self::cookie(cookie.as_bytes(), settings, values) {
            Some(value) => match HeaderValue::from_maybe_shared(Bytes::from(value)) {
                Ok(value) => {
                    changed = true;
                    value
                }
                Err(_) => cookie.clone(),
            },
            None => cookie.clone(),
        })
        .collect();
    if changed {
        answer.remove(&SET_COOKIE);
        for cookie in rewritten {
            answer.add(&SET_COOKIE_NAME, cookie)?;
        }
    }
    Ok(())
}

/// A cookie's name or the name of one of its attributes, and what stands behind the `=`.
struct Attribute {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Attribute {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// One cookie as it goes to the client; `None` where no rule applies to it.
fn cookie(text: &[u8], settings: &ProxySettings, values: &mut dyn Values) -> Option<Vec<u8>> {
    let mut attributes: Vec<Attribute> = text.split(|byte| *byte == b';').map(attribute).collect();
    // As in nginx, what has no value is no cookie.
    attributes.first().filter(|first| first.value.is_some())?;
    let mut applied = false;
    for attribute in attributes.iter_mut().skip(1) {
        let rewritten = match &attribute.value {
            Some(domain) if attribute.is("domain") => first_domain(&settings.cookie_domains, domain, values),
            Some(path) if attribute.is("path") => first_path(&settings.cookie_paths, path, values),
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            attribute.value = Some(rewritten);
            applied = true;
        }
    }
    let name = attributes.first().map(|first| first.name.clone()).unwrap_or_default();
    if let Some(flags) = flags_of(&name, &settings.cookie_flags, values) {
        change_flags(&mut attributes, &flags);
        applied = true;
    }
    applied.then(|| written(&attributes))
}

fn attribute(text: &[u8]) -> Attribute {
    let text = text.trim_ascii_start();
    match memchr::memchr(b'=', text) {
        Some(equals) => Attribute {
            name: text[..equals].trim_ascii_end().to_owned(),
            value: Some(text[equals + 1..].trim_ascii().to_owned()),
        },
        None => Attribute { name: text.trim_ascii_end().to_owned(), value: None },
    }
}

fn written(attributes: &[Attribute]) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, attribute) in attributes.iter().enumerate() {
        if index > 0 {
            text.extend_from_slice(b"; ");
        }
        text.extend_from_slice(&attribute.name);
        if let Some(value) = &attribute.value {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
    text
}

/// The changes for the cookie of that name: those of the first directive that names it.
fn flags_of(name: &[u8], all: &[CookieFlags], values: &mut dyn Values) -> Option<Vec<FlagChange>> {
    let names = |flags: &&CookieFlags| match &flags.cookie {
        Matched::Text(text) => {
            let mut known = Vec::new();
            text.render(values, &mut known);
            known.eq_ignore_ascii_case(name)
        }
        Matched::Regex(regex) => regex.is_match(name),
    };
    let flags = all.iter().find(names)?;
    let change = |flag: &CookieFlag| match flag {
        CookieFlag::Known(change) => Some(*change),
        CookieFlag::PerRequest(template) => {
            let mut named = Vec::new();
            template.render(values, &mut named);
            FlagChange::named(&named)
        }
    };
    Some(flags.flags.iter().filter_map(change).collect())
}

/// Changes attributes where they stand; those that are added follow in nginx's order.
fn change_flags(attributes: &mut Vec<Attribute>, changes: &[FlagChange]) {
    let mut added = [None, None, None];
    for change in changes {
        let (place, name, wanted) = match change {
            FlagChange::Secure(on) => (0, "Secure", on.then_some(None)),
            FlagChange::HttpOnly(on) => (1, "HttpOnly", on.then_some(None)),
            FlagChange::SameSite(value) => (2, "SameSite", value.map(Some)),
        };
        let found = attributes.iter().skip(1).position(|attribute| attribute.is(name)).map(|index| index + 1);
        match (found, wanted) {
            (Some(index), None) => {
                let after = attributes.split_off(index);
                attributes.extend(after.into_iter().filter(|attribute| !attribute.is(name)));
            }
            (Some(index), Some(Some(value))) => {
                let present = attributes[index].value.as_deref();
                if !present.is_some_and(|present| present.eq_ignore_ascii_case(value.as_bytes())) {
                    attributes[index] = flag(name, Some(value));
                }
            }
            (None, Some(value)) => added[place] = Some(flag(name, value)),
            (Some(_), Some(None)) | (None, None) => {}
        }
    }
    attributes.extend(added.into_iter().flatten());
}

fn flag(name: &str, value: Option<&str>) -> Attribute {
    Attribute { name: name.into(), value: value.map(Into::into) }
}

/// What the first rule that the value begins with, or whose regular expression it matches, makes of it.
fn first_prefix(rules: &[Substitution], value: &[u8], values: &mut dyn Values) -> Option<Vec<u8>> {
    rules.iter().find_map(|rule| match &rule.from {
        Matched::Text(text) => {
            let mut from = Vec::new();
            text.render(values, &mut from);
            let rest = value.strip_prefix(from.as_slice())?;
            let mut rewritten = replaced(&rule.to, values);
            rewritten.extend_from_slice(rest);
            Some(rewritten)
        }
        Matched::Regex(_) => by_regex(rule, value, values),
    })
}

/// The same for the path of a cookie.
fn first_path(rules: &[Substitution], path: &[u8], values: &mut dyn Values) -> Option<Vec<u8>> {
    first_prefix(rules, path, values)
}

/// The same for a domain, which a text equals without regard to case and to a dot before it; that dot stays.
fn first_domain(rules: &[Substitution], domain: &[u8], values: &mut dyn Values) -> Option<Vec<u8>> {
    rules.iter().find_map(|rule| match &rule.from {
        Matched::Text(text) => {
            let mut from = Vec::new();
            text.render(values, &mut from);
            let (dot, bare) = match domain.strip_prefix(b".") {
                Some(bare) => (&b"."[..], bare),
                None => (&b""[..], domain),
            };
            bare.eq_ignore_ascii_case(&from).then(|| [dot, &replaced(&rule.to, values)].concat())
        }
        Matched::Regex(_) => by_regex(rule, domain, values),
    })
}

fn by_regex(rule: &Substitution, value: &[u8], values: &mut dyn Values) -> Option<Vec<u8>> {
    let Matched::Regex(regex) = &rule.from else { return None };
    let captures = regex.captures(value)?;
    let mut rewritten = Vec::new();
    rule.to.render(Some(&captures), values, &mut rewritten);
    Some(rewritten)
}

fn replaced(to: &Substitute, values: &mut dyn Values) -> Vec<u8> {
    let mut text = Vec::new();
    to.render(None, values, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Plain, wire};
    use super::*;
    use crate::config::files::InMemory;
    use crate::config::model::Action;
    use crate::config::{Source, load_from};
    use crate::script::{Named, Variable};
    use std::sync::Arc;

    struct Fixed;

    impl Values for Fixed {
        fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
            if *variable == Variable::Named(Named::Host) {
                out.extend_from_slice(b"h.example");
            }
            true
        }
    }

    fn proxy(text: &str) -> Arc<Proxy> {
        let text = format!(
            "events {{}} http {{ access_log off; upstream group {{ server 127.0.0.1:1; }}
             server {{ location / {{ proxy_pass http://group/up/; {text} }} }} }}"
        );
        let files = InMemory::default().with("/nginx.conf", text);
        let source = Source { path: "/nginx.conf".into(), prefix: "/".into(), ..Source::default() };
        let config = load_from(&source, &files, false).unwrap().config;
        match &config.http.servers[0].locations[0].action {
            Action::Proxy(proxy) => Arc::clone(proxy),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn redirects_of_a_server_become_redirects_of_this_program() {
        let two = "proxy_redirect http://a/ http://$host/; proxy_redirect ~^http://([^/]+)/(?<rest>.*)$ /$1/${rest}x;";
        for (text, received, sent) in [
            ("", "location: http://group/up/x", "Location: http://own:81/x"),
            ("", "location: http://group/other", "location: http://group/other"),
            ("", "location: /up/x", "location: /up/x"),
            ("", "refresh: 5; url=http://group/up/x", "Refresh: 5; url=/x"),
            ("", "refresh: 5; URL=http://group/up/x", "Refresh: 5; URL=/x"),
            ("", "refresh: http://group/up/x", "refresh: http://group/up/x"),
            ("proxy_redirect off;", "location: http://group/up/x", "location: http://group/up/x"),
            (
                "proxy_redirect default; proxy_redirect /a /b;",
                "location: /a/x",
                "Location: http://own:81/b/x",
            ),
            ("proxy_redirect / http://x/;", "location: http://group/up/x", "location: http://group/up/x"),
            (two, "location: http://a/p", "Location: http://h.example/p"),
            (two, "location: http://b.c/p?q", "Location: http://own:81/b.c/p?qx"),
            (two, "location: HTTP://b.c/p", "location: HTTP://b.c/p"),
            ("proxy_redirect ~*^HTTP://b(/.*) https://c$1;", "location: http://b/p", "Location: https://c/p"),
            ("proxy_redirect \"\" /all;", "location: /x", "Location: http://own:81/all/x"),
        ] {
            let mut answer = Plain::of(received);
            redirects(&mut answer, &proxy(text), &mut Fixed, Some(b"http://own:81".to_vec())).unwrap();
            assert_eq!(wire(&answer), sent, "{text}");
        }
    }

    #[test]
    fn cookies_are_rewritten_attribute_by_attribute() {
        let rewritten = |text: &str, cookie: &str| {
            let proxy = proxy(text);
            let value = super::cookie(cookie.as_bytes(), &proxy.settings, &mut Fixed);
            value.map(|value| String::from_utf8(value).unwrap())
        };
        let domain = "proxy_cookie_domain .Up.example $host;";
        let path = "proxy_cookie_path ~^/up(/.*)$ $1; proxy_cookie_path /two/ /2/;";
        let flags =
            "proxy_cookie_flags ONE nosecure httponly samesite=Strict; proxy_cookie_flags ~^t secure;";
        for (text, cookie, expected) in [
            (domain, "a=b; Domain=up.example", Some("a=b; Domain=h.example")),
            (domain, "a=b;domain=.UP.example;  Secure", Some("a=b; domain=.h.example; Secure")),
            (domain, "a=b; Domain=x.up.example", None),
            (domain, "domain=up.example", None),
            ("proxy_cookie_domain ~\\.UP\\.(.*)$ .$1;", "a=b; domain=x.up.org", Some("a=b; domain=.org")),
            (path, "a=b; Path=/up/x", Some("a=b; Path=/x")),
            (path, "a=b; Path=/two/x; Path", Some("a=b; Path=/2/x; Path")),
            (path, "a=b; Path=/x", None),
            (flags, "one=1; Secure; SameSite=Lax", Some("one=1; SameSite=Strict; HttpOnly")),
            (
                "proxy_cookie_flags a samesite=lax httponly secure;",
                "a=b",
                Some("a=b; Secure; HttpOnly; SameSite=Lax"),
            ),
            (flags, "one; samesite=strict", None),
            (flags, "one=; samesite=strict", Some("one=; samesite=strict; HttpOnly")),
            (flags, "Two=2", Some("Two=2; Secure")),
            (flags, "two=2; secure", Some("two=2; secure")),
            (flags, "x=3; Secure", None),
            (
                "proxy_cookie_flags a nosamesite nohttponly;",
                "a=b; SameSite=Lax; HttpOnly; Path=/",
                Some("a=b; Path=/"),
            ),
            ("proxy_cookie_flags a $host;", "a=b", Some("a=b")),
            ("proxy_cookie_domain off;", "a=b; domain=c", None),
        ] {
            assert_eq!(rewritten(text, cookie).as_deref(), expected, "{text} {cookie}");
        }
    }

    #[test]
    fn every_cookie_of_an_answer_is_looked_at() {
        let proxy = proxy("proxy_cookie_path / /app/;");
        let mut answer = Plain::of("set-cookie: a=1; path=/|x: y|set-cookie: b=2");
        cookies(&mut answer, &proxy.settings, &mut Fixed).unwrap();
        let all: Vec<_> =
            answer.map().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(all, ["a=1; path=/app/", "b=2"]);
    }
}
