//! Proofs of who we are that a fixed header cannot carry: AWS's request signatures and Google's
//! short-lived tokens.
//!
//! Both are made when a call is about to be sent, since one covers the call's bytes and its time
//! and the other runs out. A signature is the `aws-sigv4` crate's work. A token is fetched over the
//! same client as everything else, under the permit of the attempt that needs it, and kept until
//! shortly before its end; whoever needs it meanwhile waits for the one who fetches.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ledger::Permit;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Core;
use super::lapse::{Cause, Lapse};
use crate::config::BaseUrl;
use crate::upstream::{Call, Origin, Response, Scheme, percent_encoded};

/// The name under which AWS signs for Bedrock.
const AWS_SERVICE: &str = "bedrock";
/// What a token may be used for: Vertex AI asks for all of the platform.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where Google gives tokens, unless the credential says it.
const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// How long a token that we ask for lives; Google gives no longer ones.
const TOKEN_LIFE: u64 = 3600;
/// A token is not used in its last moments: a request may be under way for some time.
const SPARE: Duration = Duration::from_secs(120);
/// A token's answer is small.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// How long a token may take to come.
const TOKEN_WAIT: Duration = Duration::from_secs(5);

/// How a call proves who sends it.
#[derive(Debug, Default)]
pub enum Proof {
    /// By its fixed header fields.
    #[default]
    Headers,
    /// By a signature over the call.
    Aws {
        /// The key pair, and the session's token where it has one.
        credentials: Credentials,
        /// The region that is signed for.
        region: String,
    },
    /// By a token that runs out.
    Google(Box<TokenSource>),
}

impl Proof {
    /// AWS's signature version 4.
    #[must_use]
    pub fn aws(key_id: &str, secret: &str, session: Option<&str>, region: &str) -> Self {
        let session = session.map(str::to_owned);
        let credentials = Credentials::new(key_id, secret, session, None, "weighbridge");
        Self::Aws { credentials, region: region.to_owned() }
    }

    /// Google's tokens, by the JSON of a service account or of a user's login.
    ///
    /// # Errors
    /// A sentence saying what is wrong with the JSON.
    pub fn google(json: &str) -> Result<Self, String> {
        TokenSource::read(json).map(|source| Self::Google(Box::new(source)))
    }

    /// Puts the proof on a call.
    ///
    /// # Errors
    /// The lapse, when no token was given or the call cannot be signed.
    pub async fn put_on(
        &self,
        core: &Core,
        permit: &Permit,
        origin: &Origin,
        call: &mut Call,
    ) -> Result<(), Lapse> {
        match self {
            Self::Headers => Ok(()),
            Self::Aws { credentials, region } => {
                let now = core.world.unix_ms(Instant::now());
                signed(credentials, region, now, origin, call).map_err(unproven)
            }
            Self::Google(source) => {
                let token = source.token(core, permit).await?;
                call.headers.insert(AUTHORIZATION, token);
                Ok(())
            }
        }
    }

    /// The upstream took the proof for none: a token that is kept may have been revoked.
    pub fn forget(&self) {
        if let Self::Google(source) = self
            && let Ok(mut kept) = source.kept.try_lock()
        {
            *kept = None;
        }
    }
}

fn unproven(detail: impl fmt::Display) -> Lapse {
    Lapse::new(Cause::Auth).detail(detail.to_string())
}

/// Signs a call as it will be sent.
fn signed(
    credentials: &Credentials,
    region: &str,
    now_unix_ms: i64,
    origin: &Origin,
    call: &mut Call,
) -> Result<(), String> {
    let identity = credentials.clone().into();
    let since = Duration::from_millis(u64::try_from(now_unix_ms).unwrap_or(0));
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(AWS_SERVICE)
        .time(SystemTime::UNIX_EPOCH + since)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let scheme = if origin.scheme == Scheme::Https { "https" } else { "http" };
    let uri = format!("{scheme}://{}{}", origin.authority(), call.path_and_query);
    let body = call.body.concat();
    let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let fields = kind.map(|kind| (CONTENT_TYPE.as_str(), kind)).into_iter();
    let request =
        SignableRequest::new(call.method.as_str(), uri, fields, SignableBody::Bytes(&body))
            .map_err(|error| error.to_string())?;
    let output = sign(request, &parameters).map_err(|error| error.to_string())?;
    let (instructions, _) = output.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let mut value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        call.headers.insert(name, value);
    }
    Ok(())
}

/// Where Google's tokens come from.
pub struct TokenSource {
    grant: Grant,
    origin: Origin,
    path: String,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    value: HeaderValue,
    until: Instant,
}

/// What a token is asked with.
enum Grant {
    /// A service account's key signs a claim.
    Claim { key: Box<RsaKeyPair>, key_id: String, email: String, audience: String },
    /// A user's login left a refresh token.
    Refresh { form: String },
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("origin", &self.origin.host).finish_non_exhaustive()
    }
}

/// The JSON that Google's tools write.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Written {
    ServiceAccount {
        client_email: String,
        private_key: String,
        #[serde(default)]
        private_key_id: String,
        token_uri: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        token_uri: Option<String>,
    },
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

impl TokenSource {
    fn read(json: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(json)
            .map_err(|error| format!("not a service account or user credential: {error}"))?;
        let (grant, uri) = match written {
            Written::ServiceAccount { client_email, private_key, private_key_id, token_uri } => {
                let audience = token_uri.unwrap_or_else(|| GOOGLE_TOKEN_URI.to_owned());
                let grant = Grant::Claim {
                    key: Box::new(key(&private_key)?),
                    key_id: private_key_id,
                    email: client_email,
                    audience: audience.clone(),
                };
                (grant, audience)
            }
            Written::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => {
                let form = format!(
                    "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
                    percent_encoded(&client_id, b""),
                    percent_encoded(&client_secret, b""),
                    percent_encoded(&refresh_token, b"")
                );
                (Grant::Refresh { form }, token_uri.unwrap_or_else(|| GOOGLE_TOKEN_URI.to_owned()))
            }
        };
        let url: BaseUrl = uri.parse().map_err(|error| format!("token_uri: {error}"))?;
        let scheme = if url.https { Scheme::Https } else { Scheme::Http };
        let path = if url.path_prefix.is_empty() { "/".to_owned() } else { url.path_prefix };
        let origin = Origin::new(scheme, url.host, url.port);
        Ok(Self { grant, origin, path, kept: Mutex::default() })
    }

    /// A token that is good for some time, as the header's value. Whoever waits for another's fetch
    /// waits no longer than for one of its own.
    async fn token(&self, core: &Core, permit: &Permit) -> Result<HeaderValue, Lapse> {
        let given = timeout(TOKEN_WAIT, self.kept_or_fetched(core, permit)).await;
        given.map_err(|_| unproven("the token did not come in time"))?
    }

    async fn kept_or_fetched(&self, core: &Core, permit: &Permit) -> Result<HeaderValue, Lapse> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.until > Instant::now()) {
            return Ok(kept.value.clone());
        }
        let asked_at = Instant::now();
        let given = self.fetch(core, permit).await?;
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", given.access_token)).map_err(unproven)?;
        value.set_sensitive(true);
        let life = given.expires_in.unwrap_or(TOKEN_LIFE).min(TOKEN_LIFE);
        let until = asked_at + Duration::from_secs(life).saturating_sub(SPARE);
        *kept = Some(Kept { value: value.clone(), until });
        Ok(value)
    }

    async fn fetch(&self, core: &Core, permit: &Permit) -> Result<Given, Lapse> {
        let now = core.world.unix_ms(Instant::now()) / 1000;
        let form = self.grant.form(now).map_err(unproven)?;
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let call = Call {
            method: Method::POST,
            path_and_query: self.path.clone(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form_type)]),
            body: vec![Bytes::from(form)],
            flow: None,
        };
        let sent = core.upstream.send(permit, &self.origin, call, TOKEN_WAIT, |_| {}).await;
        let response = sent.map_err(Lapse::of_send)?;
        let status = response.status;
        let body = body(response).await?;
        if status != 200 {
            return Err(unproven(format!("the token was refused with status {status}")));
        }
        serde_json::from_slice(&body).map_err(|error| unproven(format!("the token: {error}")))
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, Lapse> {
    let mut read = Vec::new();
    while let Some(piece) = response.body.next().await {
        read.extend_from_slice(
            &piece.map_err(|failure| Lapse::of_body(failure, Cause::Truncated))?,
        );
        if read.len() > MAX_TOKEN_BYTES {
            return Err(Lapse::new(Cause::TooLarge));
        }
    }
    Ok(read)
}

impl Grant {
    /// The form that asks for a token at `now`, in seconds since 1970 (RFC 7523 section 2.1).
    fn form(&self, now: i64) -> Result<String, String> {
        match self {
            Self::Refresh { form } => Ok(form.clone()),
            Self::Claim { key, key_id, email, audience } => {
                let head = serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
                let claim = serde_json::json!({
                    "iss": email,
                    "scope": GOOGLE_SCOPE,
                    "aud": audience,
                    "iat": now,
                    "exp": now.saturating_add_unsigned(TOKEN_LIFE),
                });
                let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
                let said = format!("{}.{}", encoded(&head), encoded(&claim));
                let mut seal = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut seal)
                    .map_err(|_| "the claim could not be signed".to_owned())?;
                let grant = percent_encoded("urn:ietf:params:oauth:grant-type:jwt-bearer", b"");
                let seal = URL_SAFE_NO_PAD.encode(seal);
                Ok(format!("grant_type={grant}&assertion={said}.{seal}"))
            }
        }
    }
}

fn key(pem: &str) -> Result<RsaKeyPair, String> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| "private_key is no key in PEM form".to_owned())?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|error| format!("private_key is no usable RSA key: {error}"))
}
