//! What is done to answers, what is kept of them, and what is counted: compression, substitution, cache, status.

use super::{COMPRESSION, MIRROR, SLICE, STATUS, SUBSTITUTION, VISITORS};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family { module: "ngx_http_gzip_module, gunzip, brotli, zstd", fate: Fate::Pending(&COMPRESSION), lines: "\
gzip HSLI on | off = off
gzip_buffers HSL number size = 32 4k|16 8k
gzip_comp_level HSL level = 1
gzip_disable HSL regex …
gzip_hash HSL size
gzip_http_version HSL 1.0 | 1.1 = 1.1
gzip_min_length HSL length = 20
gzip_no_buffer HSL on | off = off
gzip_proxied HSL off | expired | no-cache | no-store | private | no_last_modified | no_etag | auth | any … = off
gzip_types HSL mime-type … = text/html
gzip_window HSL size
postpone_gzipping HSL size = 0
gunzip HSL on | off = off
gunzip_buffers HSL number size = 32 4k|16 8k
brotli HSLI on | off = off
brotli_buffers HSL number size = 32 4k|16 8k
brotli_comp_level HSL level = 6
brotli_min_length HSL length = 20
brotli_static HSL on | off | always = off
brotli_types HSL mime-type … = text/html
brotli_window HSL size = 512k
zstd HSLI on | off = off
zstd_buffers HSL number size = 32 4k|16 8k
zstd_comp_level HSL level = 1
zstd_min_length HSL length = 20
zstd_static HSL on | off | always = off
zstd_types HSL mime-type … = text/html" },
    Family { module: "ngx_http_sub_module, ssi, addition", fate: Fate::Pending(&SUBSTITUTION), lines: "\
sub_filter HSL string replacement
sub_filter_last_modified HSL on | off = off
sub_filter_once HSL on | off = on
sub_filter_types HSL mime-type … = text/html
ssi HSLI on | off = off
ssi_ignore_recycled_buffers HSL on | off = off
ssi_last_modified HSL on | off = off
ssi_min_file_chunk HSL size = 1k
ssi_silent_errors HSL on | off = off
ssi_types HSL mime-type … = text/html
ssi_value_length HSL length = 256
add_after_body HSL uri
add_before_body HSL uri
addition_types HSL mime-type … = text/html" },
    Family { module: "ngx_http_mirror_module", fate: Fate::Pending(&MIRROR), lines: "\
mirror HSL uri | off = off
mirror_request_body HSL on | off = on" },
    Family { module: "ngx_http_slice_module", fate: Fate::Pending(&SLICE), lines: "\
slice HSL size = 0" },
    Family { module: "ngx_http_stub_status_module", fate: Fate::Pending(&STATUS), lines: "\
stub_status SL" },
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
