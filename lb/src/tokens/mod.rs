//! Signed tokens (RFC 7519) and the keys that sign them (RFC 7517), for `auth_jwt`.
//!
//! It reads a token, finds a key of a set that has signed it, and looks at the time in which it holds; nothing else of its
//! claims is judged. Tokens without a signature, encrypted tokens and tokens with extensions that must be understood (`crit`)
//! are refused. A key signs by its own kind of algorithm alone, and where the set says which, by that one alone: a
//! public key is never taken for a secret. Pure: keys and time come in.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// A token whose signature is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it says of itself.
    pub header: Map<String, Value>,
    /// What it says.
    pub claims: Map<String, Value>,
    /// The claims, as the token has them.
    pub payload: Vec<u8>,
}

/// Why a token does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no signed token.
    #[error("invalid JWT")]
    Malformed,
    /// Its algorithm is not one of those that are taken.
    #[error("unsupported JWT algorithm")]
    Algorithm,
    /// It asks for an extension.
    #[error("unsupported \"crit\" in JWT")]
    Critical,
    /// No key of the set has signed it.
    #[error("JWT signature validation failed")]
    Signature,
    /// Its time is over.
    #[error("JWT is expired")]
    Expired,
    /// Its time has not come.
    #[error("JWT is not valid yet")]
    NotYet,
}

/// The keys of a set, of which those that nobody knows how to use are left out.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Jwk>);

impl Keys {
    /// Reads a set of keys.
    ///
    /// # Errors
    ///
    /// Where the text is no set of keys.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let set: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no \"keys\"")?;
        let is_usable = |key: &Jwk| {
            key.common.public_key_use != Some(PublicKeyUse::Encryption)
                && !matches!(key.algorithm, AlgorithmParameters::Other(_))
        };
        let known = keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok());
        Ok(Self(known.filter(is_usable).collect()))
    }

    /// Whether some key of the set has signed `message` in this way. A token that names its key is asked of that one alone,
    /// where the set has its name.
    fn have_signed(&self, message: &[u8], signature: &str, algorithm: Algorithm, name: Option<&str>) -> bool {
        let named = |key: &&Jwk| name.is_some() && key.common.key_id.as_deref() == name;
        let has_named = self.0.iter().any(|key| named(&key));
        let candidates = self.0.iter().filter(|key| !has_named || named(key));
        candidates.filter(|key| fits(key, algorithm)).any(|key| {
            DecodingKey::from_jwk(key)
                .is_ok_and(|key| crypto::verify(signature, message, &key, algorithm).unwrap_or(false))
        })
    }
}

/// Whether a key may sign by an algorithm.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_its_kind = match &key.algorithm {
        AlgorithmParameters::OctetKey(_) => matches!(algorithm, HS256 | HS384 | HS512),
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        AlgorithmParameters::EllipticCurve(curve) => {
            matches!((&curve.curve, algorithm), (EllipticCurve::P256, ES256) | (EllipticCurve::P384, ES384))
        }
        AlgorithmParameters::OctetKeyPair(pair) => pair.curve == EllipticCurve::Ed25519 && algorithm == EdDSA,
        _ => false,
    };
    let said = key.common.key_algorithm.as_ref();
    of_its_kind
        && said.is_none_or(|said| said.to_string().parse::<Algorithm>().is_ok_and(|said| said == algorithm))
}

impl Token {
    /// Reads a token that one of `keys` has signed, and which holds at `now`, in seconds of Unix time, give or take `leeway`
    /// seconds.
    ///
    /// # Errors
    ///
    /// Why it does not hold.
    pub fn verify(text: &[u8], keys: &Keys, now: u64, leeway: u64) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Malformed)?;
        let (message, signature) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let object =
            |part: &[u8]| serde_json::from_slice::<Map<String, Value>>(part).map_err(|_| Refusal::Malformed);
        let header = object(&decoded(header)?)?;
        if header.contains_key("crit") {
            return Err(Refusal::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).ok_or(Refusal::Malformed)?;
        let algorithm: Algorithm = algorithm.parse().map_err(|_| Refusal::Algorithm)?;
        let name = header.get("kid").and_then(Value::as_str);
        if !keys.have_signed(message.as_bytes(), signature, algorithm, name) {
            return Err(Refusal::Signature);
        }
        let payload = decoded(payload)?;
        let claims = object(&payload)?;
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(time) => time.as_f64().map(Some).ok_or(Refusal::Malformed),
        };
        // Exact enough for 285 million years.
        let (now, leeway) = (now as f64, leeway as f64);
        if time("exp")?.is_some_and(|until| until + leeway <= now) {
            return Err(Refusal::Expired);
        }
        if time("nbf")?.is_some_and(|from| from - leeway > now) {
            return Err(Refusal::NotYet);
        }
        Ok(Self { header, claims, payload })
    }
}

/// What stands below `path` in an object, as a variable has it: a text as it is, the elements of a list with commas between
/// them, anything else as JSON writes it. `None` for what is not there, and for `null`.
pub fn text_at<'p>(object: &Map<String, Value>, path: impl IntoIterator<Item = &'p str>) -> Option<String> {
    let mut path = path.into_iter();
    let mut value = object.get(path.next()?)?;
    for name in path {
        value = value.get(name)?;
    }
    match value {
        Value::Null => None,
        Value::Array(elements) => Some(elements.iter().map(text).collect::<Vec<_>>().join(",")),
        value => Some(text(value)),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
