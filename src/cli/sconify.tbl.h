/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Options of SCONE's sconify_image that nacre's does not do itself: X(name, kind, what, text).
 * what NOTED: accepted, and `text` is said; REFUSED: an error with `text`, because going on would
 * leave out something that was asked for.
 */

X("base", STRING, NOTED, "the output has no base image: it holds /nacre/ and nothing else")
X("cli", STRING, NOTED, "no image with tools is needed")
X("heap", STRING, NOTED, "memory grows on demand and is not measured; NACRE_MEMORY limits it at run time")
X("stack", STRING, NOTED, "stacks are the program's own and not measured")
X("dlopen", STRING, NOTED, "libraries come from the seal or, with --dir, from directories you name")
X("fork", STRING, NOTED, "fork needs no switch")
X("log", STRING, NOTED, "set NACRE_LOG at run time")
X("las", STRING, NOTED, "there is no LAS: quotes come from the platform's own service, or from softsgx")
X("no-color", FLAG, NOTED, NULL)
X("verbose", FLAG, NOTED, NULL)
X("debug", FLAG, NOTED, NULL)
X("cas-debug", FLAG, NOTED, "CAS is known by its pinned key")
X("push-image", FLAG, NOTED, "--to=docker://REGISTRY/NAME pushes")
X("binary-fs", FLAG, NOTED, "everything is sealed and measured without it")
X("fs-dir", LIST, NOTED, "everything is sealed and measured without it")
X("fs-file", LIST, NOTED, "everything is sealed and measured without it")
X("crosscompiler", STRING, NOTED, "nothing is compiled")
X("disable-binary-fs-defaults", FLAG, NOTED, "there are none")
X("disable-binary-symlink-detection", FLAG, NOTED, "links are files of the image like others")
X("disable-copy-shared-object-dependencies", FLAG, NOTED, "what the program loads is always sealed")
X("disable-copy-service-libraries", FLAG, NOTED, "nothing is copied")
X("disable-replace-unsconifiable-binaries", FLAG, NOTED, "no binary is replaced")
X("disable-ld-library-path-in-session", FLAG, NOTED, "none is put there")
X("disable-attestation", FLAG, NOTED, "CAS is known by its pinned key all the same")
X("trace", STRING, REFUSED, "lists of strace are not read; 'nacre trace' prints --dir options")
X("generate-sconefile", FLAG, REFUSED, "there are no Sconefiles; 'nacre convert' is the build")
X("dry-run", FLAG, REFUSED, "leave out --cas: then nothing leaves this machine")
X("disable-copy-envvars", FLAG, REFUSED, "write a --template without $ENVVARS")
X("azure-attestation", STRING, REFUSED, "evidence is verified by CAS itself (DCAP), not by Azure's service")
X("volume", LIST, REFUSED, "write volumes into a --template (docs/policy-language.md)")
X("k8s-helm-workload-type", STRING, REFUSED, "charts are not generated")
X("k8s-helm-expose", LIST, REFUSED, "charts are not generated")
X("k8s-helm-output-dir", STRING, REFUSED, "charts are not generated")
X("k8s-helm-volume", LIST, REFUSED, "charts are not generated")
X("k8s-helm-manifests", LIST, REFUSED, "charts are not generated")
X("k8s-helm-set", LIST, REFUSED, "charts are not generated")
