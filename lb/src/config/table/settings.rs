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
macro_rules! settings {
    (
        $(#[$about:meta])*
        $Settings:ident {
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
            /// The settings of a level: what `block` gives, and for the rest what holds `above`.
            pub(in crate::config) fn inherit(
                above: &std::sync::Arc<Self>,
                block: &mut crate::config::table::Block,
            ) -> std::sync::Arc<Self> {
                let Some(given) = block.take::<Given>() else { return std::sync::Arc::clone(above) };
                let Given { $($field,)+ } = given;
                std::sync::Arc::new(Self {
                    $($field: $field.unwrap_or_else(|| above.$field.clone()),)+
                })
            }
        }

        /// The directives that give these settings.
        pub(super) const SETTINGS: &[crate::config::table::Row] = &[
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
