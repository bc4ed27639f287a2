//! What this program is and what it was built from: the source of `lb -v`, `lb -V` and `lb_build_info`.

/// The product, as `Server:` and `lb -v` name it.
pub const PRODUCT: &str = "cirque";

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of nginx whose configurations are read: the one that the judge compares with.
pub const NGINX: &str = "1.30.6";

/// The compiler, such as `1.95.0 (59807616e 2026-04-14)`.
pub const RUSTC: &str = env!("LB_RUSTC_VERSION");

/// The platform triple it was built for.
pub const TARGET: &str = env!("LB_TARGET");

/// Cargo's profile: `release` or `debug`; `release, profile-guided` for what `make release` makes.
pub const PROFILE: &str = env!("LB_PROFILE");

/// The version of Pingora inside.
pub const PINGORA: &str = env!("LB_PINGORA_VERSION");
