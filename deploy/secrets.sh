#!/bin/sh
# deploy/secrets.sh [--simulators] [FILE]: makes the secrets of one installation, in the file that docker compose reads
# (.env beside docker-compose.yaml unless FILE is said), and a certificate for each server, in the folder certificates
# beside it. Only its owner can read them. A file that is there is left as it is: without these keys the data can't be
# opened. Run again it renews the certificates that end within 30 days and leaves the others. With --simulators it also
# says where the simulated treasury and platform are; without, fill in the real ones' addresses.
set -eu
umask 077

simulators=no
if [ "${1:-}" = --simulators ]; then
    simulators=yes
    shift
fi
file=${1:-$(dirname "$0")/../.env}
folder=$(dirname "$file")/certificates
command -v openssl >/dev/null || {
    echo "secrets.sh: there is no openssl here, which makes certificates" >&2
    exit 1
}
mkdir "$file.lock" 2>/dev/null || {
    echo "secrets.sh: another run is at work on $file; if none is, remove $file.lock" >&2
    exit 1
}
trap 'rm -rf "$file.lock"' EXIT
trap 'exit 1' HUP INT TERM

password() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
url_key() { key | tr '+/' '-_'; }

# certify NAME HOST…: a new key and its certificate, signed by the authority; the old pair stays until both are there.
certify() {
    name=$1
    shift
    names=$(printf 'DNS:%s,' "$@")
    made=$file.lock/$name
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$made.key" -out "$made.csr" 2>/dev/null
    printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' "${names%,}" >"$made.ext"
    openssl x509 -req -in "$made.csr" -CA "$folder/ca.pem" -CAkey "$folder/authority/ca.key" -days 397 -sha256 \
        -set_serial "0x$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n' | sed 's/^./4/')" \
        -extfile "$made.ext" -out "$made.crt" 2>/dev/null
    mv "$made.key" "$folder/$name.key"
    mv "$made.crt" "$folder/$name.crt"
    echo "secrets.sh: made $folder/$name.crt, good for 397 days"
}

# ends_soon FILE: it ends within 30 days, or is not there.
ends_soon() { ! openssl x509 -in "$1" -noout -checkend 2592000 >/dev/null 2>&1; }

# belong NAME: the certificate is for the key, and of our authority. A run that was ended between the two leaves what does not.
belong() {
    openssl verify -CAfile "$folder/ca.pem" "$folder/$1.crt" >/dev/null 2>&1 &&
        [ "$(openssl x509 -in "$folder/$1.crt" -noout -pubkey)" = "$(openssl pkey -in "$folder/$1.key" -pubout)" ]
}

certificates() {
    mkdir -p "$folder/authority"
    if [ ! -e "$folder/ca.pem" ]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -sha256 \
            -subj "/CN=IFMS adapter, authority of this installation" \
            -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
            -keyout "$folder/authority/ca.key" -out "$file.lock/ca.pem" 2>/dev/null
        # Containers read it, whoever runs in them; it is no secret.
        chmod 644 "$file.lock/ca.pem"
        mv "$file.lock/ca.pem" "$folder/ca.pem"
    elif ends_soon "$folder/ca.pem"; then
        echo "secrets.sh: the authority itself ends within 30 days: remove $folder, run this again, restart all" >&2
        exit 1
    fi
    for each in postgres redis elasticsearch kafka api-server; do
        if ends_soon "$folder/$each.crt" || ! belong "$each"; then
            certify "$each" "$each" localhost
        fi
    done
}

if [ -e "$file" ]; then
    echo "secrets.sh: $file is there already; it was left as it is"
    certificates
    exit 0
fi

fresh=$file.lock/env
{
    echo "# Secrets of this installation: keep a copy in a safe place, and show them to nobody."
    echo "POSTGRES_PASSWORD=$(password)"
    echo "AIRFLOW_DB_PASSWORD=$(password)"
    echo "IFMS_OWNER_PASSWORD=$(password)"
    echo "IFMS_DB_PASSWORD=$(password)"
    echo "IFMS_REPORTS_PASSWORD=$(password)"
    echo "REDIS_PASSWORD=$(password)"
    echo "ELASTIC_PASSWORD=$(password)"
    echo "KAFKA_PASSWORD=$(password)"
    echo "AIRFLOW_FERNET_KEY=$(url_key)"
    echo "AIRFLOW_API_SECRET=$(password)"
    echo "AIRFLOW_JWT_SECRET=$(password)$(password)"
    echo "# Seals the secrets in the log of calls to the treasury; records can't be opened without it."
    echo "IFMS_LOG_KEY=$(key)"
    echo "# Signs payment instructions; those that it has not signed are not sent."
    echo "IFMS_SIGNING_KEY=$(key)"
    echo "# Since when this installation asks what came back from banks: today, in India."
    echo "IFMS_START_DATE=$(TZ=IST-5:30 date +%Y-%m-%d)"
    echo "KAFKA_CLUSTER_ID=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
    echo
    if [ "$simulators" = yes ]; then
        echo "COMPOSE_PROFILES=simulators"
        echo "IFMS_SIMULATED=yes"
        echo "IFMS_TREASURY_URL=https://treasury:8091"
        echo "IFMS_TREASURY_CLIENT_ID=sample-client"
        echo "IFMS_TREASURY_CLIENT_SECRET=$(password)"
        echo "# Empty: asked of the simulated treasury."
        echo "IFMS_TREASURY_PUBLIC_KEY="
        echo "IFMS_TREASURY_CA_BUNDLE=/opt/airflow/tls/treasury.pem"
        echo "IFMS_PLATFORM_URL=http://platform:8092"
        echo "IFMS_PLATFORM_HTTP_HOSTS=platform"
        echo "IFMS_ALLOWED_HOSTS=treasury platform"
    else
        echo "# The treasury: its address, who we are there, its public key (base64 of DER or PEM), its calls a second."
        echo "IFMS_TREASURY_URL="
        echo "IFMS_TREASURY_CLIENT_ID="
        echo "IFMS_TREASURY_CLIENT_SECRET="
        echo "IFMS_TREASURY_PUBLIC_KEY="
        echo "IFMS_TREASURY_CALLS_PER_SECOND="
        echo "# The DIGIT platform: the address of all its services."
        echo "IFMS_PLATFORM_URL="
        echo "# Its hosts that may be spoken to by plain http; all others need https."
        echo "IFMS_PLATFORM_HTTP_HOSTS="
        echo "# The hosts of both: no connection may lead to another one."
        echo "IFMS_ALLOWED_HOSTS="
    fi
} >"$fresh"
certificates
mv "$fresh" "$file"
echo "secrets.sh: made $file"
