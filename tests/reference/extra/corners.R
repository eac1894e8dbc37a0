# What R says of corners.in.json (make_corners.py): corners.out.json. Run in the folder: Rscript corners.R
# R 4.2.2; nlme 3.1-162, lme4 1.1-31, lmerTest 3.1-3, pbkrtest 0.5.2, survival 3.5-3, coin 1.4-2, mvtnorm 1.1-3, mice 3.15.0.
suppressMessages({library(nlme); library(lmerTest); library(survival); library(coin); library(mvtnorm); library(mice); library(jsonlite)})
cases <- fromJSON("corners.in.json", simplifyDataFrame = FALSE)
out <- list()

out$mmrm <- lapply(cases$mmrm, function(k) {
  d <- data.frame(y = k$y, id = factor(k$id), vi = k$v + 1L, V = factor(k$v), A = factor(k$arm), B = k$base, u = 1 / k$w)
  R <- switch(k$covariance, us = corSymm(form = ~ vi | id), cs = , csh = corCompSymm(form = ~ vi | id), ar1 = , ar1h = corAR1(form = ~ vi | id))
  W <- if (k$covariance %in% c("us", "csh", "ar1h")) varComb(varIdent(form = ~ 1 | V), varFixed(~ u)) else varFixed(~ u)
  f <- if (k$by_arm) y ~ A + V + B + A:V + A:B else y ~ A + V + B + A:V
  m <- gls(f, d, correlation = R, weights = W, method = toupper(k$method),
           control = glsControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14))
  # nlme's vcov under ML is inflated by n / (n - p)
  shrink <- if (k$method == "ml") (nrow(d) - length(coef(m))) / nrow(d) else 1
  list(loglik = as.numeric(logLik(m)), beta = unname(coef(m)), se = unname(sqrt(diag(m$varBeta) * shrink))) })

out$slopes <- lapply(cases$slopes, function(k) {
  d <- data.frame(y = k$y, id = factor(k$id), t = k$t, A = factor(k$arm))
  f <- if (k$shared) y ~ t + t:A + (t | id) else y ~ t + A + t:A + (t | id)
  m <- suppressMessages(lmer(f, d, REML = k$reml, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6))))
  b <- fixef(m); L <- diag(length(b))[match(c("t:A1", "t:A2"), names(b)), ]
  tests <- function(ddf) { r <- do.call(rbind, lapply(1:2, function(i) contest1D(m, L[i, ], ddf = ddf)))
    list(estimate = r$Estimate, se = r[["Std. Error"]], df = r$df) }
  o <- list(loglik = as.numeric(logLik(m)), satterthwaite = tests("Satterthwaite"))
  if (k$reml) o[["kenward-roger"]] <- tests("Kenward-Roger")
  o })

out$survival <- lapply(cases$survival, function(k) {
  d <- data.frame(time = k$time, event = k$event, A = factor(k$arm), s = k$stratum, x = k$x)
  f <- if (k$crossed) Surv(time, event) ~ A + x + A:x + strata(s) else Surv(time, event) ~ A + x + strata(s)
  m <- coxph(f, d, ties = k$ties, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
  z <- cox.zph(m)$table; km <- survfit(Surv(time, event) ~ 1, d, conf.type = k$interval); q <- quantile(km, c(0.25, 0.5, 0.75))
  lr <- survdiff(Surv(time, event) ~ A + strata(s), d); peto <- survdiff(Surv(time, event) ~ A, d, rho = 1)
  list(beta = unname(coef(m)), se = unname(sqrt(diag(vcov(m)))), loglik = m$loglik, score = m$score,
       zph = unname(z[, "chisq"]), time = km$time, low = km$lower, high = km$upper,
       quantile = unname(q$quantile), q_low = unname(q$lower), q_high = unname(q$upper), log_rank = lr$chisq, peto = peto$chisq) })

out$ranked <- lapply(cases$ranked, function(k) {
  g2 <- as.integer(k$g > 0); w <- wilcox_test(k$y ~ factor(g2, levels = c(1, 0))); kw <- kruskal_test(k$y ~ factor(k$g))
  r <- residuals(lm(rank(k$y) ~ rank(k$x))); quade <- anova(lm(r ~ factor(k$g)))
  koch <- numeric(length(k$y)); for (s in unique(k$s)) koch[k$s == s] <- residuals(lm(rank(k$y[k$s == s]) ~ rank(k$x[k$s == s])))
  ka <- independence_test(koch ~ factor(g2) | factor(k$s), teststat = "quadratic")
  list(z = as.numeric(statistic(w)), kruskal = as.numeric(statistic(kw)), quade = quade$F[1], koch = as.numeric(statistic(ka))) })

set.seed(1)
out$several <- lapply(cases$several, function(k) vapply(abs(k$t), function(b)
  1 - pmvt(rep(-b, length(k$t)), rep(b, length(k$t)), df = k$df, corr = k$R, algorithm = GenzBretz(maxpts = 5e6, abseps = 1e-6))[1], 0))

out$pooled <- lapply(cases$pooled, function(k) {
  r <- pool.scalar(k$estimate, k$variance, n = k$df + 1, k = 1); list(estimate = r$qbar, se = sqrt(r$t), df = r$df) })

write(toJSON(out, digits = NA, auto_unbox = TRUE, na = "null", pretty = TRUE), "corners.out.json")
