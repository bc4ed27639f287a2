//! Who may come in by name and password: nginx's `ngx_http_auth_basic_module`.

use crate::config::table::{LEVELS, LIMIT_EXCEPT, Maybe, Text, settings};
use crate::script::Template;

settings! {
    /// Who may come in by name and password.
    AuthBasic {
        "auth_basic" in LEVELS.or(LIMIT_EXCEPT),
        realm: Option<Template> as Maybe<Text> = None,
        "Asks for a name and a password, by the name of what they open. May contain variables; `off` asks for none";

        "auth_basic_user_file" in LEVELS.or(LIMIT_EXCEPT),
        user_file: Option<Template> as Maybe<Text> = None,
        "The names and the hashes of passwords, `name:hash` a line, read for each request: crypt's (DES, MD5, SHA-256, SHA-512, bcrypt, yescrypt), `$apr1$`, `{SHA}`, `{SSHA}`, `{PLAIN}`. Relative to the configuration file. May contain variables",
        differs "crypt's hashes of other kinds (scrypt, gost-yescrypt, SHA-1, Sun's MD5, BSD's DES) are answered with 500 and an error line";
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn a_level_inherits_what_it_does_not_say() {
        let text = "auth_basic \"A $host\"; auth_basic_user_file users; server { location / { } \
                    location /off { auth_basic off; satisfy any; auth_delay 250ms; limit_except GET { auth_basic x; } } }";
        let locations = &accepted(&in_http(text)).http.servers[0].locations;
        let realm = |index: usize| locations[index].settings.auth_basic.realm.clone().unwrap();
        assert_eq!(realm(0).variables().count(), 1);
        assert_eq!(realm(1).as_literal(), Some("off"));
        let inside = &locations[1].limit_except.as_ref().unwrap().location.settings;
        assert_eq!(inside.auth_basic.realm.as_ref().unwrap().as_literal(), Some("x"));
        assert_eq!(inside.auth_basic.user_file.as_ref().unwrap().as_literal(), Some("users"));
        assert_eq!(inside.satisfaction.delay.as_millis(), 250);
        refused(&in_http("satisfy some;"), "invalid value \"some\"");
        refused(&in_http("auth_delay x;"), "\"auth_delay\" directive invalid value");
        refused(&in_http("auth_basic a b;"), "invalid number of arguments in \"auth_basic\" directive");
        refused(&in_http("auth_basic_user_file $nope;"), "unknown \"nope\" variable");
    }
}
