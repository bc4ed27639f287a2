//! One declaration of each setting.
//!
//! From `settings!` come the resolved settings of a module (a structure that the model shares), what a level gives
//! of them, nginx's merge of the two, and the rows of the table with their defaults printed from the values.

/// Declares the settings of a module: `Name { "directive" in contexts, field: Type as Argument = default, "summary"; }`.
/// Behind the summary may stand `, differs "words"`: what is different from nginx.
///
/// It makes, in the module's file: `Name`, the resolved settings, with the defaults as [`Default`]; `Given`, what
/// one level says of them; `Name::inherit`, which takes from the level above what a level does not say and shares
/// the settings above where it says nothing; `SETTINGS`, the rows of the directives.
///
/// `Name by merge { … }` leaves `inherit` to the function `merge(above, given)`, for settings that decide how others are
/// inherited; `Name::over(above, given)` is the usual merge, for it to begin with.
macro_rules! settings {
    (@inherit $Settings:ident) => {
        impl $Settings {
            /// The settings of a level: what `block` gives, and for the rest what holds `above`.
            pub(in crate::config) fn inherit(
                above: &std::sync::Arc<Self>,
                block: &mut crate::config::table::Block,
            ) -> std::sync::Arc<Self> {
                match block.take::<Given>() {
                    None => std::sync::Arc::clone(above),
                    Some(given) => std::sync::Arc::new(Self::over(above, given)),
                }
            }
        }
    };
    (@inherit $Settings:ident $merge:ident) => {
        impl $Settings {
            /// The settings of a level: what `block` gives, and for the rest what holds `above`.
            pub(in crate::config) fn inherit(
                above: &std::sync::Arc<Self>,
                block: &mut crate::config::table::Block,
            ) -> std::sync::Arc<Self> {
                $merge(above, block.take::<Given>().unwrap_or_default())
            }
        }
    };
    (
        $(#[$about:meta])*
        $Settings:ident $(by $merge:ident)? {
            $(
                $directive:literal in $contexts:expr,
                $field:ident: $type:ty as $argument:ty = $default:expr,
                $summary:literal $(, differs $differs:literal)?;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $Settings {
            $(
                #[doc = concat!("`", $directive, "`: ", $summary, ".")]
                pub $field: $type,
            )+
        }

        impl Default for $Settings {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// What one level says.
        #[derive(Debug, Default)]
        struct Given {
            $($field: Option<$type>,)+
        }

        impl $Settings {
            /// What a level that says `given` has, where `above` holds around it.
            fn over(above: &Self, given: Given) -> Self {
                let Given { $($field,)+ } = given;
                Self { $($field: $field.unwrap_or_else(|| above.$field.clone()),)+ }
            }
        }

        crate::config::table::settings!(@inherit $Settings $($merge)?);

        /// The directives that give these settings.
        pub(in crate::config) const SETTINGS: &[crate::config::table::Row] = &[
            $(
                crate::config::table::setting::<$argument>(
                    $directive,
                    $contexts,
                    || <$argument as crate::config::table::Argument>::print(&$default),
                    |block, directive, report| {
                        block.edit(|given: &mut Given| {
                            <$argument as crate::config::table::Argument>::read(
                                &mut given.$field, directive, report,
                            );
                        });
                    },
                    $summary,
                )$(.differs($differs))?,
            )+
        ];
    };
}

pub(in crate::config) use settings;
