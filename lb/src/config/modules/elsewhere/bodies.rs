//! What is kept of answers, and what is counted: cache, status.

use super::{SLICE, VISITORS};
use crate::config::table::{Family, Fate};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        module: "ngx_http_slice_module",
        fate: Fate::Pending(&SLICE),
        lines: "\
slice HSL size = 0",
    },
    Family {
        module: "ngx_http_userid_module",
        fate: Fate::Pending(&VISITORS),
        lines: "\
userid HSL on | v1 | log | off = off
userid_domain HSL name | none = none
userid_expires HSL time | max | off = off
userid_flags HSL off | flag … = off
userid_mark HSL letter | digit | = | off = off
userid_name HSL name = uid
userid_p3p HSL string | none = none
userid_path HSL path = /
userid_service HSL number",
    },
    Family {
        module: "ngx_http_image_filter_module, xslt",
        fate: Fate::Refused("images and documents are not transformed; let the servers do it"),
        lines: "\
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
xslt_types HSL mime-type … = text/xml",
    },
];
