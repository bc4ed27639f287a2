//! Records what this build was made of, for `lb -V` and the metric `lb_build_info`.
//!
//! Nothing here may fail a build: what cannot be found out is `unknown`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=LB_RUSTC_VERSION={}", rustc_version().unwrap_or_else(unknown));
    println!("cargo::rustc-env=LB_TARGET={}", std::env::var("TARGET").unwrap_or_else(|_| unknown()));
    println!("cargo::rustc-env=LB_PROFILE={}", profile());

    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let pingora = std::fs::read_to_string(lock).ok().and_then(|lock| locked_version(&lock, "pingora"));
    println!("cargo::rustc-env=LB_PINGORA_VERSION={}", pingora.unwrap_or_else(unknown));
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Cargo's profile, and whether the compiler was told what a run under load had counted.
fn profile() -> String {
    let profile = std::env::var("PROFILE").unwrap_or_else(|_| unknown());
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("profile-use") { format!("{profile}, profile-guided") } else { profile }
}

/// `1.95.0 (59807616e 2026-04-14)`
fn rustc_version() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix("rustc ").map(str::to_owned)
}

/// The version under `name = "NAME"` in a Cargo.lock.
fn locked_version(lock: &str, name: &str) -> Option<String> {
    let entry = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != entry).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"').map(str::to_owned)
}
