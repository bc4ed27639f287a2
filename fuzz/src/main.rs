//! One of the checks of `lb::fuzz` under libFuzzer. `FUZZ_TARGET` names it; the arguments are libFuzzer's own.
//!
//! `fuzz/run` compiles and starts it. libFuzzer brings `main`, and calls what stands below with bytes that it changes;
//! it learns from the instrumented code which of them are worth keeping.
//!
//! Lints of the workspace do not hold here: the macro's function is called from C++, which is unsafe code by its nature.
#![no_main]

use std::sync::LazyLock;

use lb::fuzz::{CHECKS, Check, check_named};
use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<Check> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    check_named(&name).unwrap_or_else(|| {
        let names = CHECKS.map(|(name, _)| name).join(", ");
        eprintln!("fuzz: FUZZ_TARGET must name one of {names}");
        std::process::exit(2)
    })
});

fuzz_target!(|bytes: &[u8]| CHECK(bytes));
