//! What holds for any list of suites.

use super::{KNOWN, ListError, OF_TLS_1_3, name, read, read_tls_1_3};

/// Reading it ends, and what comes of it is a list: some suites, each once and each of the kind that was asked for.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match read(&text) {
        Ok(list) => {
            assert!((1..=KNOWN.len()).contains(&list.suites.len()));
            for (index, suite) in list.suites.iter().enumerate() {
                assert!(KNOWN.iter().any(|known| known.suite == *suite), "{suite:?} is no suite of TLS 1.2");
                assert!(!list.suites[..index].contains(suite), "{suite:?} is there twice");
            }
            // Named one by one, the same suites in the same order.
            let names: Vec<_> = list.suites.iter().filter_map(|suite| name(*suite)).collect();
            let again = read(&names.join(":"));
            assert_eq!(again.map(|again| again.suites), Ok(list.suites.clone()), "{names:?}");
            // What is banned at the end is gone, wherever it stood, and nothing else is. A list that begins with its
            // name for a whole profile ends with it.
            let gone = read(&format!("{text}:!{}", names[0])).map(|list| list.suites);
            if !text.starts_with("SUITEB") {
                match list.suites.len() {
                    1 => assert_eq!(gone, Err(ListError::Nothing)),
                    _ => assert_eq!(gone.as_deref(), Ok(&list.suites[1..])),
                }
            }
            assert!(
                list.missing.iter().all(|missing| !missing.is_empty() && text.contains(missing.as_str()))
            );
        }
        Err(ListError::Command(command)) => assert!(command.starts_with('@') && text.contains(&command)),
        Err(ListError::Nothing) => {}
    }
    if let Ok(list) = read_tls_1_3(&text) {
        assert!((1..=OF_TLS_1_3.len()).contains(&list.suites.len()));
    }
}
