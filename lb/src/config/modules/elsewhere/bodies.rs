//! What is kept of answers, and what is counted: cache, status.

use super::{CACHE, VISITORS};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family { module: "ngx_http_proxy_module, cache; ngx_http_slice_module", fate: Fate::Pending(&CACHE), lines: "\
proxy_cache HSL zone | off = off
proxy_cache_background_update HSL on | off = off
proxy_cache_bypass HSL string …
proxy_cache_convert_head HSL on | off = on
proxy_cache_key HSL string = $scheme$proxy_host$request_uri
proxy_cache_lock HSL on | off = off
proxy_cache_lock_age HSL time = 5s
proxy_cache_lock_timeout HSL time = 5s
proxy_cache_max_range_offset HSL number
proxy_cache_methods HSL GET | HEAD | POST … = GET HEAD
proxy_cache_min_uses HSL number = 1
proxy_cache_path H path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] …
proxy_cache_purge HSL string …
proxy_cache_revalidate HSL on | off = off
proxy_cache_use_stale HSL error | timeout | invalid_header | updating | http_500 | http_502 | http_503 | http_504 | http_403 | http_404 | http_429 | off … = off
proxy_cache_valid HSL [code …] time
proxy_no_cache HSL string …
slice HSL size = 0" },
    Family { module: "ngx_http_userid_module", fate: Fate::Pending(&VISITORS), lines: "\
userid HSL on | v1 | log | off = off
userid_domain HSL name | none = none
userid_expires HSL time | max | off = off
userid_flags HSL off | flag … = off
userid_mark HSL letter | digit | = | off = off
userid_name HSL name = uid
userid_p3p HSL string | none = none
userid_path HSL path = /
userid_service HSL number" },
    Family { module: "ngx_http_image_filter_module, xslt", fate: Fate::Refused("images and documents are not transformed; let the servers do it"), lines: "\
image_filter L off | test | size | rotate 90 | 180 | 270 | resize width height | crop width height = off
image_filter_buffer HSL size = 1M
image_filter_interlace HSL on | off = off
image_filter_jpeg_quality HSL quality = 75
image_filter_sharpen HSL percent = 0
image_filter_transparency HSL on | off = on
image_filter_webp_quality HSL quality = 80
xml_entities HSL path
xslt_last_modified HSL on | off = off
xslt_param HSL parameter value
xslt_string_param HSL parameter value
xslt_stylesheet L stylesheet [parameter=value …]
xslt_types HSL mime-type … = text/xml" },
];
