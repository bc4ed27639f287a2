//! Where the requests of a plan go: URLs, their weights, and whom to believe about names. Part of checking
//! what was typed; pure but for the files, which are read through the caller's function.

use std::io;

use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use super::PlanError;
use crate::mix::{self, Origin, WeightError};
use crate::target::{Scheme, Target, TargetError};
use crate::tls;

/// What `--url-weights` takes.
const EXPECTED_WEIGHTS: &str = "one whole number from 1 for each --url, such as 3,1";

/// The weight of every URL, and the order that follows from them.
pub(super) fn weights(typed: Option<String>, urls: usize) -> Result<(Vec<u32>, Vec<u16>), PlanError> {
    let value = typed.clone().unwrap_or_default();
    let refuse =
        |reason: String| PlanError::Weights { value: value.clone(), reason, expected: EXPECTED_WEIGHTS };
    let weights = match typed {
        None => vec![1; urls],
        Some(text) => text
            .split(',')
            .map(|item| {
                item.trim().parse().map_err(|_| refuse(format!("'{}' is no such number", item.trim())))
            })
            .collect::<Result<Vec<u32>, _>>()?,
    };
    if weights.len() != urls {
        return Err(refuse(WeightError::Count { weights: weights.len(), urls }.to_string()));
    }
    let order = mix::order(&weights).map_err(|reason| refuse(reason.to_string()))?;
    Ok((weights, order))
}

/// The URLs taken apart, and the places that they lead to.
pub(super) struct Origins {
    pub(super) places: Vec<Origin>,
    /// Every URL with its place's number.
    pub(super) targets: Vec<(Target, usize)>,
}

impl Origins {
    pub(super) fn read(
        source_name: &'static str,
        urls: &[String],
        server_name: Option<&ServerName<'static>>,
    ) -> Result<Self, PlanError> {
        let mut origins = Self { places: Vec::new(), targets: Vec::new() };
        for url in urls {
            let target = url.parse().and_then(|target| origins.add(target, server_name));
            target.map_err(|reason| PlanError::Url { source_name, url: url.clone(), reason })?;
        }
        Ok(origins)
    }

    fn add(&mut self, target: Target, server_name: Option<&ServerName<'static>>) -> Result<(), TargetError> {
        let server_name = match (target.scheme, server_name) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Some(name)) => Some(name.clone()),
            (Scheme::Https, None) => Some(
                ServerName::try_from(target.host.clone())
                    .map_err(|_| TargetError::Unprovable(target.host.clone()))?,
            ),
        };
        let place = Origin {
            host: target.host.to_ascii_lowercase(),
            port: target.port,
            authority: target.authority.clone(),
            server_name,
        };
        let is_same = |other: &Origin| {
            (&other.host, other.port, other.server_name.is_some())
                == (&place.host, place.port, place.server_name.is_some())
        };
        let number = self.places.iter().position(is_same).unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        self.targets.push((target, number));
        Ok(())
    }
}

pub(super) fn read_server_name(name: String) -> Result<ServerName<'static>, PlanError> {
    ServerName::try_from(name.clone()).map_err(|_| PlanError::ServerName(name))
}

/// The certificates of all files together.
pub(super) fn authorities(
    files: Vec<String>,
    read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<Vec<CertificateDer<'static>>, PlanError> {
    let mut all = Vec::new();
    for value in files {
        let read = match read_file(&value) {
            Ok(file) => tls::certificates(&file).map_err(|reason| reason.to_string()),
            Err(reason) => Err(reason.to_string()),
        };
        match read {
            Ok(certificates) => all.extend(certificates),
            Err(reason) => return Err(PlanError::Certificates { value, reason }),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan_with;
    use crate::plan::{Plan, PlanError};
    use crate::tls::Trust;

    fn plan(words: &str) -> Result<Plan, PlanError> {
        plan_with(&words.split_whitespace().collect::<Vec<_>>(), b"")
    }

    #[test]
    fn urls_with_one_place_share_it() {
        let urls = "-u http://a/1 -u http://A:80/2 -u https://a/3 -u a:81 -u https://a:443 -u https://a:80";
        let plan = plan(urls).unwrap();
        let numbers: Vec<_> = plan.mix.requests().iter().map(|request| request.origin).collect();
        assert_eq!(numbers, [0, 0, 1, 2, 1, 3]);
        let places: Vec<_> =
            plan.mix.origins().iter().map(|o| (o.host.as_str(), o.port, o.server_name.is_some())).collect();
        assert_eq!(places, [("a", 80, false), ("a", 443, true), ("a", 81, false), ("a", 80, true)]);
        let second = String::from_utf8(plan.mix.requests()[1].bytes.clone()).unwrap();
        assert!(second.starts_with("GET /2 HTTP/1.1\r\nHost: A:80\r\n"), "{second}");
    }

    #[test]
    fn weights_belong_to_the_urls_in_their_order() {
        let plan = plan("-u http://a -u http://b --url-weights 3,1").unwrap();
        let mut place = 0;
        assert_eq!([(); 4].map(|()| plan.mix.next(&mut place)), [0, 0, 0, 1]);
        let weights: Vec<_> = plan.mix.requests().iter().map(|r| (r.url.as_str(), r.weight)).collect();
        assert_eq!(weights, [("http://a", 3), ("http://b", 1)]);
    }

    #[test]
    fn a_connection_that_ends_has_a_last_request() {
        let prepared = |words| plan(words).unwrap().mix.requests()[0].clone();
        assert_eq!(prepared("-u a").last_bytes, None);
        let last = prepared("-u a --requests-per-connection 3").last_bytes.unwrap();
        assert!(String::from_utf8(last).unwrap().contains("\r\nConnection: close\r\n"));
    }

    #[test]
    fn the_name_to_prove_is_the_hosts_unless_another_is_given() {
        let name = |words| {
            let plan = plan(words).unwrap();
            plan.mix.origins()[0].server_name.as_ref().map(|name| name.to_str().into_owned())
        };
        assert_eq!(name("-u http://a.test").as_deref(), None);
        assert_eq!(name("-u https://a.test").as_deref(), Some("a.test"));
        assert_eq!(name("-u https://[::1]:8443").as_deref(), Some("::1"));
        assert_eq!(name("-u https://127.0.0.1 --server-name b.test").as_deref(), Some("b.test"));
        assert_eq!(plan("-u https://a --insecure").unwrap().trust, Trust::Anyone);
        assert_eq!(plan("-u https://a").unwrap().trust, Trust::System);
    }

    #[test]
    fn several_files_of_authorities_are_one_list() {
        let parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let words = ["-u", "https://a", "--ca-file", "x", "--ca-file", "y"];
        let plan = plan_with(&words, certificate.pem().as_bytes()).unwrap();
        assert_eq!(plan.trust, Trust::Authorities(vec![certificate.der().clone(); 2]));
    }

    #[test]
    fn what_makes_no_sense_names_its_option_and_what_would() {
        let table = [
            (
                "-u a -u b --url-weights 3",
                "'3' for '--url-weights': there are 1 weights for 2 URLs; expected one",
            ),
            ("-u a --url-weights 3,1", "there are 2 weights for 1 URLs"),
            ("-u a -u b --url-weights 3,0", "'3,0' for '--url-weights': a weight of 0 would never send"),
            ("-u a -u b --url-weights 3,x", "'x' is no such number"),
            ("-u a -u b --url-weights=-1,2", "'-1' is no such number"),
            ("-u a -u b --url-weights 1,", "'' is no such number"),
            ("-u a -u b --url-weights 10000,1", "add up to 10001, more than 10000"),
            ("-u a -u ftp://b", "'ftp://b' for '--url': scheme `ftp` is not supported"),
            ("-u https://a..b", "'https://a..b' for '--url': `a..b` is not a host name that a certificate"),
            ("-u https://a --server-name a..b", "'a..b' for '--server-name'"),
            (
                "-u https://a --ca-file none.pem",
                "'none.pem' for '--ca-file': it holds no `BEGIN CERTIFICATE`",
            ),
            ("-u http://a --ca-file none.pem", "'--ca-file' needs an https URL"),
            ("-u http://a --server-name b", "'--server-name' needs an https URL"),
            ("-u http://a --insecure", "'--insecure' needs an https URL"),
        ];
        for (words, expected) in table {
            let error = plan(words).unwrap_err().to_string();
            assert!(error.contains(expected), "{words}: {error}");
        }
    }
}
