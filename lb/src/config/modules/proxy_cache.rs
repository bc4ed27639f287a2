//! The cache of servers' answers: the `proxy_cache*` directives of nginx's `ngx_http_proxy_module`, and
//! `proxy_cache_purge` of NGINX Plus.

mod arguments;
mod path;

use std::time::Duration;

use self::arguments::{CacheValidity, Conditions};
use crate::config::table::{Flag, LEVELS, Maybe, Number, Offset, Text, Time, settings};
use crate::script::Template;

pub use self::arguments::{CacheMethods, CacheSwitch, CacheValid, StaleConditions};
pub(super) use self::path::ROWS;
pub use self::path::{CachePath, Pace};

settings! {
    /// Which answers are kept, for how long, and when a kept one is given.
    ProxyCache {
        "proxy_cache" in LEVELS,
        zone: CacheSwitch as CacheSwitch = CacheSwitch::Off,
        "The zone that answers are kept in. May contain variables",
        differs "an answer that `proxy_intercept_errors` or `X-Accel-Redirect` replaces is not kept, and a location that the request is sent to after another server has answered it has no cache";

        "proxy_cache_key" in LEVELS,
        key: Option<Template> as Maybe<Text> = None,
        "What an answer is found by; without it the URL that the server is asked for";

        "proxy_cache_valid" in LEVELS,
        valid: Vec<CacheValid> as CacheValidity = Vec::new(),
        "How long answers with these statuses are fresh where their fields do not say; 200, 301 and 302 where none is named. `X-Accel-Expires`, `Cache-Control` and `Expires` of an answer come first, in this order";

        "proxy_cache_methods" in LEVELS,
        methods: CacheMethods as CacheMethods = CacheMethods::READING,
        "By which methods a request is answered from the cache";

        "proxy_cache_min_uses" in LEVELS,
        min_uses: u64 as Number = 1,
        "At which request for it an answer is kept";

        "proxy_cache_bypass" in LEVELS,
        bypass: Vec<Template> as Conditions = Vec::new(),
        "A server is asked in any case where one of these is neither empty nor 0; its answer is kept";

        "proxy_no_cache" in LEVELS,
        no_cache: Vec<Template> as Conditions = Vec::new(),
        "An answer is not kept where one of these is neither empty nor 0";

        "proxy_cache_use_stale" in LEVELS,
        use_stale: StaleConditions as StaleConditions = StaleConditions::OFF,
        "On which failures and statuses of servers, and with `updating` while another request renews it, an answer is given that is no longer fresh. `stale-if-error` and `stale-while-revalidate` of the answer allow it too";

        "proxy_cache_background_update" in LEVELS,
        background_update: bool as Flag = false,
        "Whether the request that would renew an answer gets the old one while a request of the program's own renews it; needs `proxy_cache_use_stale updating` or `stale-while-revalidate`";

        "proxy_cache_lock" in LEVELS,
        lock: bool as Flag = false,
        "Whether requests for an answer that is not there wait for the one that fetches it",
        differs "they are woken at once and not within half a second, and all of them go on where the answer turns out not to be kept";

        "proxy_cache_lock_timeout" in LEVELS,
        lock_timeout: Duration as Time = Duration::from_secs(5),
        "How long a request waits for another's answer before it asks a server; what comes is not kept then";

        "proxy_cache_lock_age" in LEVELS,
        lock_age: Duration as Time = Duration::from_secs(5),
        "After which time one more of the requests that wait asks a server";

        "proxy_cache_revalidate" in LEVELS,
        revalidate: bool as Flag = false,
        "Whether a server is asked by `If-Modified-Since` and `If-None-Match` if an answer that is no longer fresh still holds";

        "proxy_cache_convert_head" in LEVELS,
        convert_head: bool as Flag = true,
        "Whether a server gets `GET` for `HEAD`. Without it the method belongs in the key";

        "proxy_cache_max_range_offset" in LEVELS,
        max_range_offset: Option<u64> as Maybe<Offset> = None,
        "A request for a range that begins behind this many bytes is passed on as it is, and its answer not kept";

        "proxy_cache_purge" in LEVELS,
        purge: Vec<Template> as Conditions = Vec::new(),
        "A request takes the answer out of the cache where one of these is neither empty nor 0, and all whose keys begin alike where its key ends with `*`: 204, or 404 where there is none",
        differs "as in NGINX Plus; a key with `*` is looked for in the files at once, without a purger";
    }
}

impl ProxyCache {
    /// Whether requests of the location may be answered from a cache.
    pub fn is_on(&self) -> bool {
        !matches!(self.zone, CacheSwitch::Off)
    }
}

#[cfg(test)]
mod tests;
