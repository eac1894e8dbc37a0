# What R says of the awkward trial of this folder: answers.json. Run in the folder: Rscript answers.R
# R 4.2.2; nlme 3.1-162, lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2, survival 3.5-3, emmeans 1.8.4-1, coin 1.4-2.
suppressMessages({library(nlme); library(lmerTest); library(emmeans); library(survival); library(coin); library(jsonlite)})
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)
arms <- c("Placebo", "Low", "High")
s <- read.csv("adsl.csv"); q <- read.csv("adqs.csv"); e <- read.csv("adtte.csv")
s <- s[s$FASFL == "Y", ]
s$TRT <- factor(s$TRT01P, levels = arms); s$ONSET <- factor(s$ONSET); s$SITE <- factor(s$SITEN)
d <- merge(q[, c("USUBJID", "AVISITN", "AVAL", "BASE", "CHG", "ADY")], s, by = "USUBJID")
out <- list()

# MMRM: unstructured, REML; df differ between packages and are not stored
post <- d[d$AVISITN > 0 & !is.na(d$CHG) & !is.na(d$BASE) & !is.na(d$RATE), ]
post <- post[order(post$USUBJID, post$AVISITN), ]
post$V <- factor(post$AVISITN); post$vi <- as.integer(post$V)
model <- CHG ~ TRT * V + BASE * V + RATE + ONSET
us <- function(data) gls(model, data, correlation = corSymm(form = ~ vi | USUBJID), weights = varIdent(form = ~ 1 | V),
                         control = glsControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14))
fit <- us(post); bare <- fit; bare$call$weights <- NULL
grid <- emmeans(bare, ~ TRT | V, mode = "df.error", data = post)
pairs <- contrast(grid, "trt.vs.ctrl", adjust = "none")
g <- as.data.frame(grid); p <- as.data.frame(pairs)
out$mmrm <- list(loglik = as.numeric(logLik(fit)), mean = g$emmean, mean_se = g$SE, difference = p$estimate, se = p$SE)

# Conditional mean imputation with the jackknife (Wolbers 2022, rbmi's approach = "condmean"), rebuilt from its definition
panel <- s[!is.na(s$RATE), ]
first <- d[!is.na(d$BASE), ]; panel$BASE <- first$BASE[match(panel$USUBJID, first$USUBJID)]
panel <- panel[!is.na(panel$BASE), ]
visits <- c(4, 8, 12)
Y <- t(sapply(panel$USUBJID, function(u) sapply(visits, function(v) {
  y <- post$CHG[post$USUBJID == u & post$AVISITN == v]; if (length(y)) y else NA })))
sigma_of <- function(f) {
  sd <- f$sigma * c(1, coef(f$modelStruct$varStruct, unconstrained = FALSE))[order(c(1, as.integer(names(coef(f$modelStruct$varStruct, unconstrained = FALSE))) / 4))]
  R <- diag(3); R[lower.tri(R)] <- coef(f$modelStruct$corStruct, unconstrained = FALSE); R <- R + t(R) - diag(3)
  R * outer(sd, sd) }
mean_of <- function(f, i, arm) { x <- panel[rep(i, 3), ]; x$TRT <- factor(arm, levels = arms); x$V <- factor(visits); x$AVISITN <- visits
  predict(f, x) }
complete <- function(f, S, strategy) { Z <- Y
  for (i in seq_len(nrow(panel))) { miss <- is.na(Y[i, ]); if (!any(miss)) next
    own <- mean_of(f, i, panel$TRT[i]); ref <- mean_of(f, i, "Placebo"); last <- if (all(miss)) 0 else max(which(!miss)); mu <- own
    after <- seq_len(3) > last
    if (strategy == "jump-to-reference") mu[after] <- ref[after]
    if (strategy == "copy-reference" && last < 3) mu <- ref
    if (strategy == "copy-increments") mu[after] <- if (last == 0) ref[after] else ref[after] + own[last] - ref[last]
    Z[i, miss] <- mu[miss] + if (any(!miss)) S[miss, !miss, drop = FALSE] %*% solve(S[!miss, !miss], Y[i, !miss] - mu[!miss]) else 0 }
  Z }
analysis <- function(z, keep) { x <- panel[keep, ]; x$y <- z[keep, 3]; m <- lm(y ~ TRT + BASE + RATE + ONSET, x)
  a <- as.data.frame(emmeans(m, "TRT"))$emmean; c(a[2] - a[1], a[3] - a[1], a) }
fits <- c(list(fit), lapply(panel$USUBJID, function(u) us(post[post$USUBJID != u, ])))
sigmas <- lapply(fits, sigma_of)
out$imputed <- lapply(c(mar = "mar", j2r = "jump-to-reference", cr = "copy-reference", cir = "copy-increments"), function(strategy) {
  whole <- analysis(complete(fits[[1]], sigmas[[1]], strategy), rep(TRUE, nrow(panel)))
  left <- sapply(seq_len(nrow(panel)), function(i) analysis(complete(fits[[i + 1]], sigmas[[i + 1]], strategy), seq_len(nrow(panel)) != i))
  n <- nrow(panel); se <- apply(left, 1, function(v) sqrt((n - 1) / n * sum((v - mean(v))^2)))
  list(estimate = whole, se = se) })

# ANCOVA by visit, the two arms of a comparison, sites as a factor
out$ancova <- list()
for (arm in arms[-1]) for (v in visits) { x <- droplevels(post[post$AVISITN == v & post$TRT %in% c("Placebo", arm), ])
  m <- lm(CHG ~ TRT + BASE + RATE + SITE, x); k <- emmeans(m, "TRT"); a <- as.data.frame(k)
  b <- as.data.frame(contrast(k, "trt.vs.ctrl", adjust = "none"))
  out$ancova[[paste(arm, v)]] <- list(mean = a$emmean, mean_se = a$SE, difference = b$estimate, se = b$SE, df = b$df, p = b$p.value) }

# Random slopes with Kenward-Roger
x <- d[!is.na(d$AVAL) & !is.na(d$RATE), ]; x$M <- x$AVISITN * 7 / 30.4375
m <- lmer(AVAL ~ M * TRT + RATE + (M | USUBJID), x, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6)))
b <- fixef(m); L <- matrix(0, 2, length(b), dimnames = list(NULL, names(b))); L[1, "M:TRTLow"] <- 1; L[2, "M:TRTHigh"] <- 1
k <- do.call(rbind, lapply(1:2, function(i) contest1D(m, L[i, ], ddf = "Kenward-Roger")))
out$slope <- list(loglik = as.numeric(logLik(m)), difference = k$Estimate, se = k[["Std. Error"]], df = k$df, p = k[["Pr(>|t|)"]])

# Joint rank at week 12 (day 84), pair by pair
e <- merge(e, s, by = "USUBJID")
out$joint <- lapply(c(Low = "Low", High = "High"), function(arm) {
  x <- e[e$TRT %in% c("Placebo", arm), ]; n <- nrow(x); ev <- x$CNSR == 0 & x$AVAL <= 84; C <- pmin(x$AVAL, 84)
  ch <- t(sapply(x$USUBJID, function(u) sapply(visits, function(v) { y <- d$CHG[d$USUBJID == u & d$AVISITN == v]; if (length(y)) y else NA })))
  inc <- ev | rowSums(!is.na(ch)) > 0
  f <- function(i, j) { z <- which(!is.na(ch[i, ]) & !is.na(ch[j, ])); if (length(z)) sign(ch[i, max(z)] - ch[j, max(z)]) else 0 }
  one <- function(i, j) if (ev[i] && ev[j]) sign(x$AVAL[i] - x$AVAL[j]) else if (ev[j]) { if (C[i] >= x$AVAL[j]) 1 else f(i, j) } else
    if (ev[i]) { if (C[j] >= x$AVAL[i]) -1 else f(i, j) } else f(i, j)
  M <- outer(1:n, 1:n, Vectorize(function(i, j) if (i != j && inc[i] && inc[j]) one(i, j) else 0))
  x$U <- rowSums(M); same <- outer(x$ONSET, x$ONSET, "=="); x$Us <- rowSums(M * same)
  x <- x[inc, ]; x$R <- rank(x$U); a <- lm(R ~ TRT + BLALS + RATE, droplevels(x)); k <- emmeans(a, "TRT")
  y <- droplevels(x); ti <- independence_test(Us ~ relevel(TRT, arm) | ONSET, y, teststat = "scalar")
  every <- lapply(split(seq_len(nrow(y)), y$ONSET, drop = TRUE), function(i) { m <- sum(y$TRT[i] == arm)
    if (length(i) == 1) list(i[y$TRT[i] == arm]) else combn(i, m, simplify = FALSE) })
  cen <- y$Us - ave(y$Us, y$ONSET); sums <- lapply(every, function(z) vapply(z, function(i) sum(cen[i]), 0))
  W <- Reduce(function(a, b) as.vector(outer(a, b, "+")), sums)
  w <- M[inc, inc][y$TRT == arm, y$TRT != arm]; b <- as.data.frame(contrast(k, "trt.vs.ctrl", adjust = "none"))
  list(mean = as.data.frame(k)$emmean, difference = b$estimate, se = b$SE, p = b$p.value,
       exact = mean(abs(W) >= abs(sum(cen[y$TRT == arm])) - 1e-9), arrangements = length(W),
       z = as.numeric(statistic(ti)), p_gehan = as.numeric(pvalue(ti)), wins = sum(w > 0), losses = sum(w < 0), ties = sum(w == 0)) })

# Time to event
out$survival <- lapply(c(Low = "Low", High = "High"), function(arm) {
  x <- droplevels(e[e$TRT %in% c("Placebo", arm), ])
  cx <- coxph(Surv(AVAL, CNSR == 0) ~ TRT + RATE + strata(ONSET), x, control = coxph.control(eps = 1e-12, iter.max = 50))
  lr <- survdiff(Surv(AVAL, CNSR == 0) ~ TRT + strata(ONSET), x)
  list(hr = unname(exp(coef(cx)[1])), p = summary(cx)$coefficients[1, 5], ph = cox.zph(cx)$table["TRT", "p"], chisq = lr$chisq) })

write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "answers.json")
