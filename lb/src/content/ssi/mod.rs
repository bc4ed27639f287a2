//! Server side includes: the commands in a page (`<!--# include virtual="/x" -->`), and what they do to it.
//!
//! [`Parser`] takes a page apart, wherever its pieces are cut; [`Page`] runs the commands that need nobody else, and says
//! of the others what is wanted ([`Wanted`]). Neither asks anything: `proxy/` makes the subrequests.
//!
//! Source of the rules: `ngx_http_ssi_filter_module`.

mod page;
mod parser;

pub use page::{Complaint, Include, Page, Stub, Values, Wanted};
pub use parser::{Command, Parser, Part};
