use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::*;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

fn params(name: &str, is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params
}

fn authority(name: &str, above: Option<&Authority>) -> Authority {
    let mut params = params(name, IsCa::Ca(BasicConstraints::Unconstrained));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let der = match above {
        None => params.self_signed(&key),
        Some(above) => params.signed_by(&key, &above.issuer),
    };
    Authority { der: der.unwrap().der().clone(), issuer: Issuer::new(params, key) }
}

fn client(above: &Authority, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = params("client", IsCa::NoCa);
    params.serial_number = Some(SerialNumber::from(7));
    change(&mut params);
    params.signed_by(&KeyPair::generate().unwrap(), &above.issuer).unwrap().der().clone()
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms
}

fn trusting(trusted: &[&CertificateDer<'static>], depth: u64) -> Authorities {
    let certificates = trusted.iter().map(|der| (*der).clone()).collect();
    Authorities::new(certificates, Vec::new(), depth, algorithms()).unwrap()
}

fn verdict(authorities: &Authorities, chain: &[&CertificateDer<'static>]) -> Result<(), &'static str> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    match authorities.judge(&chain, UnixTime::now()) {
        Verdict::Trusted => Ok(()),
        Verdict::Absent => Err("absent"),
        Verdict::Refused(refusal) => Err(refusal.words),
    }
}

#[test]
fn a_chain_leads_to_a_trusted_authority_or_the_reason_is_told_in_openssls_words() {
    let (root, other) = (authority("root", None), authority("other", None));
    let middle = authority("middle", Some(&root));
    let low = authority("low", Some(&middle));
    let of_root = client(&root, |_| {});
    let of_middle = client(&middle, |_| {});
    let of_low = client(&low, |_| {});
    let trusted = trusting(&[&root.der], 1);
    let alone = params("alone", IsCa::NoCa).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
    for (chain, expected) in [
        (vec![], Err("absent")),
        (vec![&of_root], Ok(())),
        (vec![&of_root, &root.der], Ok(())),
        (vec![&of_middle, &middle.der], Ok(())),
        (vec![&of_middle], Err("unable to verify the first certificate")),
        (vec![&of_low, &low.der, &middle.der], Err("certificate chain too long")),
        (vec![&alone], Err("self-signed certificate")),
    ] {
        assert_eq!(verdict(&trusted, &chain), expected, "{}", chain.len());
    }
    assert_eq!(verdict(&trusting(&[&root.der], 2), &[&of_low, &low.der, &middle.der]), Ok(()));
    let elsewhere = trusting(&[&other.der], 1);
    for (chain, expected) in [
        (vec![&of_root], "unable to verify the first certificate"),
        (vec![&of_root, &root.der], "self-signed certificate in certificate chain"),
        (vec![&of_middle, &middle.der], "unable to get local issuer certificate"),
    ] {
        assert_eq!(verdict(&elsewhere, &chain), Err(expected));
        let Verdict::Refused(refusal) =
            elsewhere.judge(&chain.into_iter().cloned().collect::<Vec<_>>(), UnixTime::now())
        else {
            panic!("trusted")
        };
        assert!(refusal.is_of_unknown_authority());
    }
    // One that is itself in the list, authority or not.
    assert_eq!(verdict(&trusting(&[&alone], 0), &[&alone]), Ok(()));
    assert_eq!(verdict(&trusted, &[&root.der]), Ok(()));
}

#[test]
fn time_and_purpose_count() {
    let root = authority("root", None);
    let trusted = trusting(&[&root.der], 1);
    let expired = client(&root, |params| params.not_after = date_time_ymd(2001, 1, 1));
    let early = client(&root, |params| params.not_before = date_time_ymd(2999, 1, 1));
    let server =
        client(&root, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(verdict(&trusted, &[&expired]), Err("certificate has expired"));
    assert_eq!(verdict(&trusted, &[&early]), Err("certificate is not yet valid"));
    assert_eq!(verdict(&trusted, &[&server]), Err("unsuitable certificate purpose"));
    let later = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
    let refused = trusting(&[&expired], 0).judge(&[expired], later);
    assert_eq!(refused, Verdict::Refused(EXPIRED));
}

#[test]
fn revoked_certificates_are_refused_and_so_are_those_of_authorities_without_a_list() {
    let root = authority("root", None);
    let list = |serials: &[u64], next: i32| {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let der = params.signed_by(&root.issuer).unwrap().der().to_vec();
        vec![CertRevocationList::Owned(webpki::OwnedCertRevocationList::from_der(&der).unwrap())]
    };
    let of = |revoked| Authorities::new(vec![root.der.clone()], revoked, 1, algorithms()).unwrap();
    let own = client(&root, |_| {});
    let middle = authority("middle", Some(&root));
    let of_middle = client(&middle, |_| {});
    assert_eq!(verdict(&of(list(&[7], 2999)), &[&own]), Err("certificate revoked"));
    assert_eq!(verdict(&of(list(&[8], 2999)), &[&own]), Ok(()));
    assert_eq!(verdict(&of(list(&[8], 2025)), &[&own]), Err("CRL has expired"));
    let unknown = verdict(&of(list(&[8], 2999)), &[&of_middle, &middle.der]);
    assert_eq!(unknown, Err("unable to get certificate CRL"));
}
