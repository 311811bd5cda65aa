// Known answers of ML-KEM for the tests of this folder. Long values are given as their SHA-256.
#pragma once

// Wycheproof, mlkem_*_test.json tcId 2 and mlkem_768_encaps_test.json tcId 14, "official round 3 seeds 0":
// one seed d || z and one m for all parameter sets.
static const char round3_seed[] = "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
                                  "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f";
static const char round3_m[] = "147c03f7a5bebba406c8fae1874d7f13c80efe79a3a9a874cc09fe76f6997615";

// RFC 9935 appendix: the seed of its example keys, the bytes 00 to 3f.
static const char rfc9935_seed[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                                   "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";

static const struct kem_answer {
    const char *algorithm;
    // Under round3_seed and round3_m.
    const char *public_key_sha256;
    const char *ciphertext_sha256;
    const char *shared_secret;
    // RFC 9935's examples.
    const char *rfc9935_public_key_sha256;
    const char *rfc9935_private_key_sha256; // the expanded key
    const char *rfc9935_private_pem;        // with the seed
} kem_answers[] = {
    {
        .algorithm = "ML-KEM-512",
        .public_key_sha256 = "852523749efd2b78d1074e5de629060312cd9397933a19ddb7482cfda5e92614",
        .ciphertext_sha256 = "bc29d7df8bc5465d980601d800259793e2603825a572da6cd198a512cc6d1a34",
        .shared_secret = "319839e82ab6b222de7b619e80da8391522bbb37677018494a4742c53f9abfdf",
        .rfc9935_public_key_sha256 = "3ae268dccc5456ac0d0f9b39257dc48fe081383b97c400512d712b739762daee",
        .rfc9935_private_key_sha256 = "17fb29b8c4baf74fb81eea15ffd583b3e37f5a5b8dcf6db96c72c3b3751d6f17",
        .rfc9935_private_pem = "-----BEGIN PRIVATE KEY-----\n"
                               "MFQCAQAwCwYJYIZIAWUDBAQBBEKAQAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ\n"
                               "GhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
                               "-----END PRIVATE KEY-----\n",
    },
    {
        .algorithm = "ML-KEM-768",
        .public_key_sha256 = "86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4",
        .ciphertext_sha256 = "36829a2f35cbf4deb62c0a12a15c22dae9f8d2c252566fc24f88abe805cb575e",
        .shared_secret = "e7184a0975ee3470878d2d159ec83129c8aec253d4ee17b4810311d198cd0368",
        .rfc9935_public_key_sha256 = "0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9",
        .rfc9935_private_key_sha256 = "dac268bde6a8dd238e9887117d6b664e7a7a9350ad6b7c08a948e504809572a5",
        .rfc9935_private_pem = "-----BEGIN PRIVATE KEY-----\n"
                               "MFQCAQAwCwYJYIZIAWUDBAQCBEKAQAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ\n"
                               "GhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
                               "-----END PRIVATE KEY-----\n",
    },
    {
        .algorithm = "ML-KEM-1024",
        .public_key_sha256 = "61b95ec8c32ae85ad7a17ae5b9c2dfb083e05f767da3ba9a0a8092ea6b4cbf7a",
        .ciphertext_sha256 = "508136a13f8a7920e3434498c6975cbbab457d809309eb2f92453e7409738210",
        .shared_secret = "489dd1e9c2be4af3482bdb35bb26ce760e6e414da6ecbe489985748a825f1cd6",
        .rfc9935_public_key_sha256 = "c7b8fa0aa471d5ae18922d6ccad5b31e1d84f92ae723abfd13747018740a8530",
        .rfc9935_private_key_sha256 = "3a2a676c5a242ee683cb6097c8f3e64fbef4d90267f9250ec2beab8f99621fad",
        .rfc9935_private_pem = "-----BEGIN PRIVATE KEY-----\n"
                               "MFQCAQAwCwYJYIZIAWUDBAQDBEKAQAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ\n"
                               "GhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
                               "-----END PRIVATE KEY-----\n",
    },
};

enum { KEM_ANSWER_COUNT = sizeof(kem_answers) / sizeof(kem_answers[0]) };
