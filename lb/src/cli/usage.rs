//! The texts of `-v`, `-V` and `-h`.
//!
//! What deploys or configures nginx asks it for its version and its modules, and reads the answer by its form: `nginx
//! version: nginx/` and a number, and behind `configure arguments:` one word for each module. So that is the form here,
//! too. The number is that of the nginx whose configurations are read, and the words follow from the table of directives.

use super::{ADMIN_VARIABLE, DEFAULT_CONFIGURATION};
use crate::build_info::{NGINX, PINGORA, PRODUCT, PROFILE, RUSTC, TARGET, VERSION};
use crate::config;

/// The modules that nginx has only where its build asks for them, each with a directive that shows that it is there.
const WITH: [(&str, &str); 17] = [
    ("http_ssl_module", "ssl_certificate"),
    ("http_v2_module", "http2"),
    ("http_v3_module", "http3"),
    ("http_realip_module", "set_real_ip_from"),
    ("http_addition_module", "add_after_body"),
    ("http_xslt_module", "xslt_stylesheet"),
    ("http_image_filter_module", "image_filter"),
    ("http_geoip_module", "geoip_country"),
    ("http_sub_module", "sub_filter"),
    ("http_dav_module", "dav_methods"),
    ("http_flv_module", "flv"),
    ("http_mp4_module", "mp4"),
    ("http_gunzip_module", "gunzip"),
    ("http_gzip_static_module", "gzip_static"),
    ("http_auth_request_module", "auth_request"),
    ("http_slice_module", "slice"),
    ("http_stub_status_module", "stub_status"),
];

/// The modules that nginx has unless its build leaves them out.
const WITHOUT: [(&str, &str); 30] = [
    ("http_charset_module", "charset"),
    ("http_gzip_module", "gzip"),
    ("http_ssi_module", "ssi"),
    ("http_userid_module", "userid"),
    ("http_access_module", "allow"),
    ("http_auth_basic_module", "auth_basic"),
    ("http_mirror_module", "mirror"),
    ("http_autoindex_module", "autoindex"),
    ("http_geo_module", "geo"),
    ("http_map_module", "map"),
    ("http_split_clients_module", "split_clients"),
    ("http_referer_module", "valid_referers"),
    ("http_rewrite_module", "return"),
    ("http_proxy_module", "proxy_pass"),
    ("http_fastcgi_module", "fastcgi_pass"),
    ("http_uwsgi_module", "uwsgi_pass"),
    ("http_scgi_module", "scgi_pass"),
    ("http_grpc_module", "grpc_pass"),
    ("http_memcached_module", "memcached_pass"),
    ("http_limit_conn_module", "limit_conn"),
    ("http_limit_req_module", "limit_req"),
    ("http_empty_gif_module", "empty_gif"),
    ("http_browser_module", "modern_browser"),
    ("http_upstream_hash_module", "hash"),
    ("http_upstream_ip_hash_module", "ip_hash"),
    ("http_upstream_least_conn_module", "least_conn"),
    ("http_upstream_random_module", "random"),
    ("http_upstream_keepalive_module", "keepalive"),
    ("http_upstream_zone_module", "zone"),
    ("http_upstream_sticky_module", "sticky"),
];

/// `-v`: one line, with its newline, as nginx prints it.
pub fn version_text() -> String {
    format!("nginx version: nginx/{NGINX} ({PRODUCT}/{VERSION})\n")
}

/// `-V`: the version and how it was built.
pub fn build_text() -> String {
    let version = version_text();
    let sni = if config::implements("ssl_certificate") { "TLS SNI support enabled\n" } else { "" };
    format!(
        "{version}built by rustc {RUSTC} for {TARGET} ({PROFILE})\nbuilt with Pingora {PINGORA}\n{sni}\
         configure arguments: {}\n",
        configure_arguments().join(" ")
    )
}

/// The words with which nginx would be built to have the modules that are here.
fn configure_arguments() -> Vec<String> {
    let with = WITH.iter().filter(|(_, directive)| config::implements(directive));
    let without = WITHOUT.iter().filter(|(_, directive)| !config::implements(directive));
    [format!("--conf-path={DEFAULT_CONFIGURATION}"), "--error-log-path=stderr".to_owned()]
        .into_iter()
        .chain(["--with-threads".to_owned()])
        .chain(with.map(|(module, _)| format!("--with-{module}")))
        .chain(without.map(|(module, _)| format!("--without-{module}")))
        .collect()
}

/// `-h`: the version and every option.
pub fn help_text() -> String {
    let version = version_text();
    format!(
        "\
{version}Usage: lb [-?hvVtTq] [-s signal] [-p prefix]
          [-e filename] [-c filename] [-g directives] [--admin address]
       lb healthcheck [url]

Options:
  -?,-h,--help    : this help
  -v,--version    : show version and exit
  -V              : show version and how it was built, then exit
  -t              : test configuration and exit
  -T              : test configuration, dump it and exit
  -q              : suppress non-error messages during configuration testing
  -s signal       : send signal to the running process:
                    stop, quit, reopen, reload
  -p prefix       : set prefix path (default: the working directory)
  -e filename     : set error log file (default: stderr)
  -c filename     : set configuration file (default: {DEFAULT_CONFIGURATION})
  -g directives   : set global directives out of configuration file
  --admin address : serve health and metrics on this address and port,
                    such as 127.0.0.1:9145 (default: {ADMIN_VARIABLE}, else off)

Commands:
  healthcheck     : ask url, or /healthz at the admin address, and exit with 0
                    if the answer is 2xx, else with 1

"
    )
}
