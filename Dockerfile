# The images of TOPS. Targets:
#
#   tops       the program alone, static, as an ordinary user: docker build --target tops .
#   tor        Debian's tor, for who brings none
#   world-tor  the same with what a node of the private network of docker-compose.yml needs
#   world-web  a small web server to fetch from, and socat
#
# The base images are arguments, so that a machine without a registry can use its own.
ARG GO_IMAGE=golang:1.26-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

# One user for all images: what one makes for the others has this owner.
FROM ${DEBIAN_IMAGE} AS base
RUN groupadd --gid 10001 tops && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/tops --shell /usr/sbin/nologin tops \
 && install -d -o tops -g tops -m 0700 /var/lib/tops \
 && install -d -o tops -g tops -m 0700 /run/tor /lightning

FROM base AS tor
# Nothing may start by being installed: tor least of all, with the configuration that comes with it.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 0755 /usr/sbin/policy-rc.d \
 && apt-get update && apt-get install -y --no-install-recommends tor && rm -rf /var/lib/apt/lists/* \
 && install -d -o tops -g tops -m 0700 /var/lib/tor
USER 10001:10001
ENTRYPOINT ["tor"]

FROM tor AS world-tor
COPY compose/world/tor.sh /usr/local/bin/world-tor
USER 0
RUN install -d -o tops -g tops /world
USER 10001:10001
ENTRYPOINT ["/bin/sh", "/usr/local/bin/world-tor"]

FROM base AS world-web
RUN apt-get update && apt-get install -y --no-install-recommends busybox socat && rm -rf /var/lib/apt/lists/*
COPY compose/world/www /www
RUN head -c 20000000 /dev/zero > /www/20MB
USER 10001:10001
ENTRYPOINT ["busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]

# Last, so that builders who build all stages above a target leave it away for the others.
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w ${VERSION:+-X main.release=${VERSION}}" -o /out/usr/bin/tops ./cmd/tops \
 && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt

FROM base AS tops
# With it the authorities' certificates: a Lightning Address is asked over https. In one step, since
# Docker's older builder loses a step that changes nothing, where the base has them already.
COPY --from=build /out /
USER 10001:10001
ENTRYPOINT ["/usr/bin/tops"]
CMD ["run", "-c", "/etc/tops/tops.toml"]
